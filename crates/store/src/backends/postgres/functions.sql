-- What statements need and PostgreSQL lacks. Each function is what Loggia works out by itself elsewhere, to the letter.

-- The mean of numbers, given their sum and count: 34 significant digits (IEEE 754 decimal128), without trailing zeros.
CREATE OR REPLACE FUNCTION loggia_mean(total numeric, number bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN number = 0 THEN NULL ELSE (
    SELECT trim_scale(round(m.mean, 34 - CASE
      WHEN abs(m.mean) >= 1 THEN length(trunc(abs(m.mean))::text)
      ELSE -length(substring(m.mean::text from '0\.(0*)')) END))
    FROM (SELECT round(total, greatest(scale(total), 100)) / number AS mean) AS m) END
$$;

-- A binary64 as the decimal that it is written as; a large one is whole, and is taken exactly (see `geometry.sql`).
CREATE OR REPLACE FUNCTION loggia_decimal(value double precision) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF abs(value) >= 1e15 AND abs(value) < 'Infinity' THEN
    RETURN loggia_exact(value);
  END IF;
  RETURN value::text::numeric;
END $$;

-- The value that JSON holds at a path; NULL where it holds none, or null. PostgreSQL cannot take U+0000 out of JSON.
CREATE OR REPLACE FUNCTION loggia_json_at(document text, path text[]) RETURNS json
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  value json;
  step text;
BEGIN
  IF strpos(document, '\u0000') > 0 THEN
    document := replace(document, '\u0000', '\ufffd');
  END IF;
  value := document::json;
  FOREACH step IN ARRAY path LOOP
    value := CASE json_typeof(value)
      WHEN 'object' THEN value -> step
      WHEN 'array' THEN CASE WHEN step ~ '^\+?[0-9]{1,9}$' THEN value -> step::integer END
    END;
    IF value IS NULL THEN
      RETURN NULL;
    END IF;
  END LOOP;
  RETURN CASE json_typeof(value) WHEN 'null' THEN NULL ELSE value END;
END $$;

-- A JSON number as binary64; NULL where it is too large for one.
CREATE OR REPLACE FUNCTION loggia_json_real(number text) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  exponent text := substring(number from '[eE]([+-]?[0-9]+)$');
  exact numeric;
BEGIN
  IF length(exponent) > 5 THEN
    IF number ~ '^-?[0.]+[eE]' OR exponent LIKE '-%' THEN
      RETURN 0;
    END IF;
    RETURN NULL;
  END IF;
  exact := number::numeric;
  IF abs(exact) >= 1.797693134862315807937e308 THEN
    RETURN NULL;
  ELSIF abs(exact) <= 2.470328229206232720e-324 THEN
    RETURN 0;
  END IF;
  RETURN exact::text::double precision;
END $$;

-- A value inside JSON as a text that orders as the values do: numbers by value, and before texts. See `json_key.rs`.
CREATE OR REPLACE FUNCTION loggia_json_key(document text, path text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  value json := loggia_json_at(document, path);
  written text := value #>> '{}';
  whole numeric;
  real double precision;
  bits bigint;
  beyond numeric := 0;
BEGIN
  CASE json_typeof(value)
    WHEN 'string' THEN
      RETURN 't' || written;
    WHEN 'boolean' THEN
      whole := CASE WHEN written = 'true' THEN 1 ELSE 0 END;
    WHEN 'number' THEN
      IF written ~ '^-?[0-9]{1,19}$' AND written::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN
        whole := written::numeric;
      END IF;
    ELSE
      RETURN 't' || value::text;
  END CASE;
  IF whole IS NULL THEN
    real := loggia_json_real(written);
    IF real IS NULL THEN
      RETURN 't' || written;
    END IF;
  ELSE
    real := whole::double precision;
    -- A number of this size is whole as binary64, and just too large for a bigint at the upper end.
    beyond := whole - CASE WHEN real >= 9223372036854775808 THEN 9223372036854775808 ELSE real::bigint END;
  END IF;
  bits := ('x' || encode(float8send(real + 0), 'hex'))::bit(64)::bigint;
  bits := CASE WHEN bits < 0 THEN ~bits ELSE bits # (-9223372036854775808) END;
  RETURN 'n' || lpad(to_hex(bits), 16, '0') || lpad(to_hex((beyond + 1024)::integer), 3, '0');
END $$;

-- A value inside JSON as text, for a search in it.
CREATE OR REPLACE FUNCTION loggia_json_text(document text, path text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  value json := loggia_json_at(document, path);
  written text := value #>> '{}';
BEGIN
  RETURN CASE json_typeof(value)
    WHEN 'string' THEN written
    WHEN 'boolean' THEN CASE WHEN written = 'true' THEN '1' ELSE '0' END
    WHEN 'number' THEN CASE
      WHEN written ~ '^-?[0-9]{1,18}$' THEN written
      ELSE coalesce(loggia_json_real(written)::text, written) END
    ELSE value::text
  END;
END $$;
