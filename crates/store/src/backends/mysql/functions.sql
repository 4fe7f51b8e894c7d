-- The value that JSON holds at a path of quoted steps, one on each line, as JSON; NULL where it holds none.
CREATE FUNCTION loggia_json_at(document LONGTEXT, path LONGTEXT) RETURNS LONGTEXT
BEGIN
  DECLARE step LONGTEXT;
  DECLARE members LONGTEXT;
  DECLARE place INT;
  WHILE path <> '' AND document IS NOT NULL DO
    SET step = SUBSTRING_INDEX(path, CHAR(10), 1);
    SET path = SUBSTRING(path, CHAR_LENGTH(step) + 2);
    -- A position in what is no list would be the thing itself.
    IF JSON_TYPE(document) = 'ARRAY' THEN
      IF step REGEXP '^"[+]?[0-9]{1,9}"$' THEN
        SET document = JSON_EXTRACT(document, CONCAT('$[', CAST(TRIM(BOTH '"' FROM step) AS UNSIGNED), ']'));
      ELSE
        SET document = NULL;
      END IF;
    ELSEIF step LIKE '"-%' THEN
      -- MariaDB knows no path to such a name.
      SET members = JSON_KEYS(document);
      SET place = JSON_LENGTH(members) - 1;
      WHILE place >= 0 AND JSON_UNQUOTE(JSON_EXTRACT(members, CONCAT('$[', place, ']'))) <> JSON_UNQUOTE(step) DO
        SET place = place - 1;
      END WHILE;
      SET document = IF(place >= 0, JSON_EXTRACT(document, '$.*'), NULL);
      SET document = JSON_EXTRACT(document, CONCAT('$[', place, ']'));
    ELSE
      SET document = JSON_EXTRACT(document, CONCAT('$.', step));
    END IF;
  END WHILE;
  RETURN document;
END;

-- A JSON number as a text that orders as numbers do. See `json_key.rs`.
CREATE FUNCTION loggia_number_key(number LONGTEXT) RETURNS LONGTEXT
BEGIN
  DECLARE plain LONGTEXT DEFAULT number;
  DECLARE mantissa LONGTEXT;
  DECLARE digits LONGTEXT;
  DECLARE exponent INT DEFAULT 0;
  DECLARE approximate DOUBLE;
  IF NOT (number REGEXP '^-?[0-9]{1,19}$'
      AND CAST(number AS DECIMAL(20, 0)) BETWEEN -9223372036854775808 AND 9223372036854775807) THEN
    SET approximate = CAST(number AS DOUBLE) + 0E0;
    -- Larger than a binary64 can be: the server takes the largest.
    IF ABS(approximate) >= 1.7976931348623157E308 AND number NOT REGEXP '^-?1[.]?7976931348623157' THEN
      RETURN CONCAT('t', number);
    END IF;
    SET plain = CAST(approximate AS CHAR);
  END IF;
  SET mantissa = TRIM(LEADING '-' FROM SUBSTRING_INDEX(plain, 'e', 1));
  IF LOCATE('e', plain) > 0 THEN
    SET exponent = CAST(SUBSTRING_INDEX(plain, 'e', -1) AS SIGNED);
  END IF;
  SET digits = REPLACE(mantissa, '.', '');
  SET exponent = exponent + LOCATE('.', CONCAT(mantissa, '.')) - 1
    - (CHAR_LENGTH(digits) - CHAR_LENGTH(TRIM(LEADING '0' FROM digits)));
  SET digits = TRIM(BOTH '0' FROM digits);
  IF digits = '' THEN
    RETURN 'n10000';
  ELSEIF LEFT(plain, 1) = '-' THEN
    RETURN CONCAT('n0', LPAD(4999 - exponent, 4, '0'),
      REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(
        digits, '0', 'j'), '1', 'i'), '2', 'h'), '3', 'g'), '4', 'f'), '5', 'e'), '6', 'd'), '7', 'c'), '8', 'b'), '9', 'a'), '~');
  END IF;
  RETURN CONCAT('n1', LPAD(5000 + exponent, 4, '0'), digits);
END;

-- A JSON value as a text that orders as values do: numbers by value, and before texts.
CREATE FUNCTION loggia_json_key(value LONGTEXT) RETURNS LONGTEXT
BEGIN
  CASE JSON_TYPE(value)
    WHEN 'NULL' THEN RETURN NULL;
    WHEN 'STRING' THEN RETURN CONCAT('t', REPLACE(JSON_UNQUOTE(value), CHAR(0), '{replaced}'));
    WHEN 'BOOLEAN' THEN RETURN IF(value = 'true', 'n150011', 'n10000');
    WHEN 'ARRAY' THEN RETURN CONCAT('t', {compact});
    WHEN 'OBJECT' THEN RETURN CONCAT('t', {compact});
    ELSE RETURN loggia_number_key(value);
  END CASE;
END;

-- A JSON value as text, for a search in it.
CREATE FUNCTION loggia_json_text(value LONGTEXT) RETURNS LONGTEXT
BEGIN
  CASE JSON_TYPE(value)
    WHEN 'NULL' THEN RETURN NULL;
    WHEN 'STRING' THEN RETURN REPLACE(JSON_UNQUOTE(value), CHAR(0), '{replaced}');
    WHEN 'BOOLEAN' THEN RETURN IF(value = 'true', '1', '0');
    WHEN 'ARRAY' THEN RETURN {compact};
    WHEN 'OBJECT' THEN RETURN {compact};
    ELSE
      IF (value REGEXP '^-?[0-9]{1,19}$'
          AND CAST(value AS DECIMAL(20, 0)) BETWEEN -9223372036854775808 AND 9223372036854775807)
          OR loggia_number_key(value) LIKE 't%' THEN
        RETURN value;
      END IF;
      RETURN CAST(CAST(value AS DOUBLE) + 0E0 AS CHAR);
  END CASE;
END;
