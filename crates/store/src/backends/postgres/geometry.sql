-- Whether two shapes of GeoJSON (RFC 7946, section 3.1) meet, on the plane of their coordinates: the same as
-- `geometry.rs` of SQLite works out, which says how, and in the same numbers (binary64).

-- A position; NULL where it is none.
CREATE OR REPLACE FUNCTION loggia_position(value json) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  x double precision;
  y double precision;
BEGIN
  IF json_typeof(value) <> 'array' OR json_typeof(value -> 0) IS DISTINCT FROM 'number'
     OR json_typeof(value -> 1) IS DISTINCT FROM 'number' THEN
    RETURN NULL;
  END IF;
  x := loggia_json_real(value ->> 0);
  y := loggia_json_real(value ->> 1);
  RETURN CASE WHEN x IS NOT NULL AND y IS NOT NULL THEN ARRAY[x, y] END;
END $$;

-- The positions of a line, one after the other; NULL where it is none.
CREATE OR REPLACE FUNCTION loggia_line(value json) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  entry json;
  place double precision[];
  line double precision[] := '{}';
BEGIN
  IF json_typeof(value) <> 'array' THEN
    RETURN NULL;
  END IF;
  FOR entry IN SELECT * FROM json_array_elements(value) LOOP
    place := loggia_position(entry);
    IF place IS NULL THEN
      RETURN NULL;
    END IF;
    line := array_append(array_append(line, place[1]), place[2]);
  END LOOP;
  RETURN line;
END $$;

-- The segments of a shape, six numbers each: where it begins, where it ends, the number of the surface that it borders
-- (0: none), and 1 where it begins a part. A lone position is a segment without length. NULL: no shape.
CREATE OR REPLACE FUNCTION loggia_segments(document text) RETURNS double precision[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  waiting json[];
  shape json;
  coordinates json;
  kind text;
  lines json;
  entry json;
  line double precision[];
  ring integer;
  surface integer := 0;
  surfaces boolean;
  size integer;
  closing integer;
  i integer;
  segments double precision[] := '{}';
BEGIN
  -- PostgreSQL cannot take U+0000 out of JSON.
  waiting := ARRAY[replace(document, '\u0000', '\ufffd')::json];
  WHILE cardinality(waiting) > 0 LOOP
    shape := waiting[cardinality(waiting)];
    waiting := waiting[1:cardinality(waiting) - 1];
    IF json_typeof(shape) <> 'object' OR json_typeof(shape -> 'type') IS DISTINCT FROM 'string' THEN
      RETURN NULL;
    END IF;
    kind := shape ->> 'type';
    IF kind = 'GeometryCollection' THEN
      IF json_typeof(shape -> 'geometries') IS DISTINCT FROM 'array' THEN
        RETURN NULL;
      END IF;
      waiting := waiting || ARRAY(SELECT * FROM json_array_elements(shape -> 'geometries'));
      CONTINUE;
    END IF;
    coordinates := shape -> 'coordinates';
    surfaces := kind IN ('Polygon', 'MultiPolygon');
    -- Lists of lines: one for each surface, or one for all.
    lines := CASE kind
      WHEN 'Point' THEN json_build_array(json_build_array(json_build_array(coordinates)))
      WHEN 'LineString' THEN json_build_array(json_build_array(coordinates))
      WHEN 'Polygon' THEN json_build_array(coordinates)
      WHEN 'MultiLineString' THEN json_build_array(coordinates)
      WHEN 'MultiPolygon' THEN coordinates
      WHEN 'MultiPoint' THEN CASE json_typeof(coordinates) WHEN 'array' THEN json_build_array(
        (SELECT coalesce(json_agg(json_build_array(p.value)), '[]') FROM json_array_elements(coordinates) AS p)) END
    END;
    IF coordinates IS NULL OR json_typeof(lines) IS DISTINCT FROM 'array' THEN
      RETURN NULL;
    END IF;
    FOR lines IN SELECT * FROM json_array_elements(lines) LOOP
      IF json_typeof(lines) <> 'array' THEN
        RETURN NULL;
      END IF;
      surface := surface + 1;
      ring := 0;
      FOR entry IN SELECT * FROM json_array_elements(lines) LOOP
        line := loggia_line(entry);
        IF line IS NULL THEN
          RETURN NULL;
        END IF;
        ring := ring + 1;
        size := cardinality(line) / 2;
        -- A ring that its writer left open is closed.
        closing := CASE WHEN surfaces THEN size ELSE greatest(size - 1, least(size, 1)) END;
        FOR i IN 0 .. closing - 1 LOOP
          segments := array_append(segments, line[2 * i + 1]);
          segments := array_append(segments, line[2 * i + 2]);
          segments := array_append(segments, line[2 * ((i + 1) % size) + 1]);
          segments := array_append(segments, line[2 * ((i + 1) % size) + 2]);
          segments := array_append(segments, CASE WHEN surfaces THEN surface ELSE 0 END::double precision);
          segments := array_append(segments,
            CASE WHEN i = 0 AND (ring = 1 OR NOT surfaces) THEN 1 ELSE 0 END::double precision);
        END LOOP;
      END LOOP;
    END LOOP;
  END LOOP;
  RETURN segments;
END $$;

-- The least and the greatest coordinates; NULL where the shape is empty.
CREATE OR REPLACE FUNCTION loggia_bounds(segments double precision[]) RETURNS double precision[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN count(*) > 0 THEN ARRAY[
    min(least(segments[i], segments[i + 2])), min(least(segments[i + 1], segments[i + 3])),
    max(greatest(segments[i], segments[i + 2])), max(greatest(segments[i + 1], segments[i + 3]))] END
  FROM generate_series(1, cardinality(segments), 6) AS s (i)
$$;

CREATE OR REPLACE FUNCTION loggia_boxes_meet(one double precision[], other double precision[]) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT coalesce(b.one[1] <= b.other[3] AND b.other[1] <= b.one[3] AND b.one[2] <= b.other[4] AND b.other[2] <= b.one[4], false)
  FROM (SELECT loggia_bounds(one) AS one, loggia_bounds(other) AS other) AS b
$$;

-- A binary64 as the decimal that it is exactly.
CREATE OR REPLACE FUNCTION loggia_exact(value double precision) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  bits bigint := ('x' || encode(float8send(value), 'hex'))::bit(64)::bigint;
  exponent integer := ((bits >> 52) & 2047)::integer;
  mantissa numeric := bits & 4503599627370495;
BEGIN
  IF exponent > 0 THEN
    mantissa := mantissa + 4503599627370496;
  ELSE
    exponent := 1;
  END IF;
  exponent := exponent - 1075;
  mantissa := mantissa * CASE WHEN exponent >= 0 THEN 2::numeric ^ exponent
    ELSE 5::numeric ^ -exponent * ('1e' || exponent)::numeric END;
  RETURN CASE WHEN bits < 0 THEN -mantissa ELSE mantissa END;
END $$;

-- On which side of the way from (ax, ay) to (bx, by) the position (cx, cy) lies: 1 left, -1 right, 0 on the line. Where
-- rounding could tell another side, it is worked out without.
CREATE OR REPLACE FUNCTION loggia_side(
  ax double precision, ay double precision, bx double precision, by double precision,
  cx double precision, cy double precision) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  factors double precision[];
  first double precision;
  second double precision;
BEGIN
  IF greatest(abs(ax), abs(ay), abs(bx), abs(by), abs(cx), abs(cy)) < 1e150 THEN
    factors := ARRAY[ax - cx, by - cy, ay - cy, bx - cx];
    -- The server refuses products that are too small.
    IF NOT EXISTS (SELECT 1 FROM unnest(factors) AS f (factor) WHERE abs(factor) < 1e-150 AND factor <> 0) THEN
      first := factors[1] * factors[2];
      second := factors[3] * factors[4];
      IF abs(first - second) > 3.3306690738754716e-16 * (abs(first) + abs(second)) THEN
        RETURN sign(first - second)::integer;
      END IF;
    END IF;
  END IF;
  RETURN sign(
    (loggia_exact(ax) - loggia_exact(cx)) * (loggia_exact(by) - loggia_exact(cy))
    - (loggia_exact(ay) - loggia_exact(cy)) * (loggia_exact(bx) - loggia_exact(cx)))::integer;
END $$;

-- Whether a part of one shape begins inside a surface of the other.
CREATE OR REPLACE FUNCTION loggia_begins_inside(one double precision[], other double precision[]) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT EXISTS (
    SELECT 1 FROM generate_series(1, cardinality(one), 6) AS p (i)
    CROSS JOIN generate_series(1, cardinality(other), 6) AS e (j)
    WHERE one[i + 5] = 1 AND other[j + 4] > 0
      -- Of the two ends of a border, the lower one counts.
      AND (other[j + 3] > one[i + 1]) <> (other[j + 1] > one[i + 1])
      AND (loggia_side(other[j], other[j + 1], other[j + 2], other[j + 3], one[i], one[i + 1]) > 0)
        = (other[j + 3] > one[i + 1])
    GROUP BY i, other[j + 4] HAVING count(*) % 2 = 1)
$$;

CREATE OR REPLACE FUNCTION loggia_shapes_meet(one double precision[], other double precision[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF NOT loggia_boxes_meet(one, other) THEN
    RETURN false;
  END IF;
  RETURN EXISTS (
    SELECT 1 FROM (
      SELECT one[i] AS ax, one[i + 1] AS ay, one[i + 2] AS bx, one[i + 3] AS by
      FROM generate_series(1, cardinality(one), 6) AS s (i)) AS s
    JOIN (
      SELECT other[j] AS ax, other[j + 1] AS ay, other[j + 2] AS bx, other[j + 3] AS by
      FROM generate_series(1, cardinality(other), 6) AS s (j)) AS t
    ON least(s.ax, s.bx) <= greatest(t.ax, t.bx) AND least(t.ax, t.bx) <= greatest(s.ax, s.bx)
      AND least(s.ay, s.by) <= greatest(t.ay, t.by) AND least(t.ay, t.by) <= greatest(s.ay, s.by)
    -- Segments whose boxes meet touch, unless one of them lies wholly on one side of the other.
    WHERE loggia_side(s.ax, s.ay, s.bx, s.by, t.ax, t.ay) * loggia_side(s.ax, s.ay, s.bx, s.by, t.bx, t.by) <= 0
      AND loggia_side(t.ax, t.ay, t.bx, t.by, s.ax, s.ay) * loggia_side(t.ax, t.ay, t.bx, t.by, s.bx, s.by) <= 0)
    OR loggia_begins_inside(one, other) OR loggia_begins_inside(other, one);
END $$;
