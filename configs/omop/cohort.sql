-- First inpatient stay of each adult in an OMOP CDM 5.3 or 5.4: one row per patient.
-- It runs unchanged on DuckDB, PostgreSQL and SQLite. Concepts are standard ones of OHDSI; concept_ancestor adds their
-- descendants. Put the schema of the CDM before the tables where it is not the default one: cdm.person.
WITH stays AS (
    SELECT
        person_id,
        visit_occurrence_id,
        visit_start_date,
        visit_end_date,
        ROW_NUMBER() OVER (PARTITION BY person_id ORDER BY visit_start_date, visit_occurrence_id) AS nth
    FROM visit_occurrence
    WHERE visit_concept_id = 9201 -- inpatient visit
),
adults AS (
    SELECT
        s.*,
        CASE p.gender_concept_id WHEN 8532 THEN 'F' WHEN 8507 THEN 'M' END AS sex,
        CAST(SUBSTR(CAST(s.visit_start_date AS VARCHAR(10)), 1, 4) AS INTEGER) - p.year_of_birth AS age
    FROM stays s
    JOIN person p ON p.person_id = s.person_id
    WHERE s.nth = 1
      AND CAST(SUBSTR(CAST(s.visit_start_date AS VARCHAR(10)), 1, 4) AS INTEGER) - p.year_of_birth >= 18
),
measured AS (
    SELECT
        m.visit_occurrence_id,
        m.measurement_concept_id,
        m.value_as_number,
        ROW_NUMBER() OVER (
            PARTITION BY m.visit_occurrence_id, m.measurement_concept_id
            ORDER BY m.measurement_date, m.measurement_id
        ) AS nth
    FROM measurement m
    JOIN adults a ON a.visit_occurrence_id = m.visit_occurrence_id
    WHERE m.value_as_number IS NOT NULL
      AND m.measurement_concept_id IN (3004249, 3012888, 3016723)
),
first_values AS (
    SELECT
        visit_occurrence_id,
        MAX(CASE WHEN measurement_concept_id = 3004249 THEN value_as_number END) AS sbp, -- mm[Hg]
        MAX(CASE WHEN measurement_concept_id = 3012888 THEN value_as_number END) AS dbp, -- mm[Hg]
        MAX(CASE WHEN measurement_concept_id = 3016723 THEN value_as_number END) AS creatinine -- mg/dL
    FROM measured
    WHERE nth = 1
    GROUP BY visit_occurrence_id
),
conditions AS (
    SELECT
        a.person_id,
        MAX(CASE WHEN c2.ancestor_concept_id = 201826 THEN 1 ELSE 0 END) AS diabetes, -- type 2
        MAX(CASE WHEN c2.ancestor_concept_id = 320128 THEN 1 ELSE 0 END) AS hypertension, -- essential
        MAX(CASE WHEN c2.ancestor_concept_id = 316139 THEN 1 ELSE 0 END) AS heart_failure
    FROM adults a
    JOIN condition_occurrence c ON c.person_id = a.person_id AND c.condition_start_date <= a.visit_end_date
    JOIN concept_ancestor c2 ON c2.descendant_concept_id = c.condition_concept_id
    WHERE c2.ancestor_concept_id IN (201826, 320128, 316139)
    GROUP BY a.person_id
)
SELECT
    a.sex,
    a.age,
    a.visit_start_date AS admitted,
    a.visit_end_date AS discharged,
    v.sbp,
    v.dbp,
    v.creatinine,
    COALESCE(c.diabetes, 0) AS diabetes,
    COALESCE(c.hypertension, 0) AS hypertension,
    COALESCE(c.heart_failure, 0) AS heart_failure
FROM adults a
LEFT JOIN first_values v ON v.visit_occurrence_id = a.visit_occurrence_id
LEFT JOIN conditions c ON c.person_id = a.person_id
