"""DuckDB's macros that compute what Trino's functions do, where DuckDB has no function with the same values."""

# ruff: noqa: E501

from __future__ import annotations

_NAN = "coalesce(isnan({}) AND {} IS NOT NULL, false)"
_UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

MACROS: dict[str, str] = {
    # Numbers
    "trino_divide(a, b)": "CASE WHEN b = 0 THEN error('Division by zero') ELSE a // b END",
    "trino_modulo(a, b)": "CASE WHEN b = 0 THEN error('Division by zero') ELSE a % b END",
    "trino_divide_double(a, b)": "CASE WHEN b = 0 AND (a = 0 OR isnan(a)) THEN CAST('NaN' AS DOUBLE) "
    "WHEN b = 0 AND signbit(b) <> signbit(a) THEN CAST('-Infinity' AS DOUBLE) "
    "WHEN b = 0 AND a IS NOT NULL THEN CAST('Infinity' AS DOUBLE) ELSE CAST(a AS DOUBLE) / CAST(b AS DOUBLE) END",
    "trino_modulo_double(a, b)": "CASE WHEN b = 0 AND a IS NOT NULL THEN CAST('NaN' AS DOUBLE) ELSE a % b END",
    "trino_units(a, up, s)": "CAST(replace(CAST(a AS VARCHAR), '.', '') AS HUGEINT) "
    "* CAST('1' || repeat('0', up - s) AS HUGEINT)",
    "trino_scaled(q, s)": "CASE WHEN s = 0 THEN CAST(q AS VARCHAR) ELSE CASE WHEN q < 0 THEN '-' ELSE '' END || "
    "left(lpad(CAST(abs(q) AS VARCHAR), CAST(greatest(length(CAST(abs(q) AS VARCHAR)), s + 1) AS INTEGER), '0'), -s) || '.' || "
    "right(lpad(CAST(abs(q) AS VARCHAR), CAST(greatest(length(CAST(abs(q) AS VARCHAR)), s + 1) AS INTEGER), '0'), s) END",
    "trino_divide_decimal(a, b, s)": "trino_scaled(CASE WHEN b = 0 THEN error('Division by zero') ELSE "
    "(2 * abs(a) + abs(b)) // (2 * abs(b)) * CASE WHEN (a < 0) = (b < 0) THEN 1 ELSE -1 END END, s)",
    "trino_modulo_decimal(a, b, s)": "trino_scaled(CASE WHEN b = 0 THEN error('Division by zero') ELSE a % b END, s)",
    "trino_pow(a, b)": "CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN isnan(b) THEN b ELSE pow(a, b) END",
    "trino_round(a, n)": "CASE WHEN a IS NULL OR n IS NULL THEN NULL WHEN abs(CAST(n AS BIGINT)) > 20 THEN error('not proved to be the same on Trino') WHEN isnan(a) OR isinf(a) THEN a WHEN a < 0 THEN -(floor(-a * pow(10, n) + 0.5) / "
    "pow(10, n)) ELSE floor(a * pow(10, n) + 0.5) / pow(10, n) END",
    "trino_sign(a)": "CASE WHEN isnan(a) THEN a ELSE CAST(sign(a) AS DOUBLE) END",
    "trino_e()": "CAST(2.718281828459045 AS DOUBLE)",
    "trino_nan()": "CAST('NaN' AS DOUBLE)",
    "trino_infinity()": "CAST('Infinity' AS DOUBLE)",
    "trino_bitwise_and(a, b)": "a & b",
    "trino_bitwise_or(a, b)": "a | b",
    "trino_bitwise_xor(a, b)": "xor(a, b)",
    "trino_bitwise_not(a)": "~a",
    "trino_to_base(a, r)": "CASE WHEN r < 2 OR r > 36 THEN error('Radix must be between 2 and 36') "
    "WHEN a < 0 THEN '-' || lower(to_base(-a, CAST(r AS INTEGER))) ELSE lower(to_base(a, CAST(r AS INTEGER))) END",
    # Comparisons of DOUBLEs: NaN is equal to nothing, and not the largest.
    "trino_equal(a, b)": f"(a = b AND NOT ({_NAN.format('a', 'b')}))",
    "trino_unequal(a, b)": f"(a <> b OR ({_NAN.format('a', 'b')}) AND a = b)",
    "trino_less(a, b)": f"(a < b AND NOT ({_NAN.format('b', 'a')}))",
    "trino_less_or_equal(a, b)": f"(a <= b AND NOT ({_NAN.format('b', 'a')}) AND NOT ({_NAN.format('a', 'b')}))",
    "trino_greatest(l)": "CASE WHEN list_count(l) < len(l) THEN NULL ELSE list_max(l) END",
    "trino_least(l)": "CASE WHEN list_count(l) < len(l) THEN NULL ELSE list_min(l) END",
    # Texts that are cast: what Trino does not read is made what DuckDB does not read either.
    "trino_number(t)": r"CASE WHEN regexp_full_match(t, '\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*') "
    "THEN trim(t, chr(9) || chr(10) || chr(13) || ' ') WHEN trim(t) IN ('NaN', 'Infinity', '-Infinity') THEN trim(t) "
    r"WHEN regexp_matches(t, '\d') OR t LIKE '%N%' OR t LIKE '%I%' "
    "THEN error('not proved to be the same number on Trino: ' || t) ELSE 'not a number: ' || t END",
    "trino_exact(t)": r"CASE WHEN regexp_full_match(t, '[+-]?(\d+(\.\d*)?|\.\d+)') THEN t "
    r"WHEN regexp_matches(t, '\d') THEN error('not proved to be the same number on Trino: ' || t) "
    "ELSE 'not a number: ' || t END",
    "trino_truth(t)": "CASE WHEN lower(t) IN ('true', 'false', 't', 'f', '1', '0') THEN t "
    "ELSE 'not a boolean: ' || t END",
    "trino_day(t)": r"CASE WHEN regexp_full_match(t, '\s*\d{4}-\d{1,2}-\d{1,2}\s*') THEN trim(t) "
    r"WHEN regexp_matches(t, '^\s*[+-]?\d{5}') OR regexp_matches(t, '^\s*[+-]') "
    "THEN error('not proved to be the same date on Trino: ' || t) ELSE 'not a date: ' || t END",
    "trino_moment(t)": r"CASE WHEN regexp_full_match(t, "
    r"'\s*\d{4}-\d{1,2}-\d{1,2}( \d{1,2}:\d{1,2}(:\d{1,2}(\.\d{1,6})?)?)?\s*') THEN trim(t) "
    r"WHEN regexp_matches(t, '\d') THEN error('not proved to be the same timestamp on Trino: ' || t) "
    "ELSE 'not a timestamp: ' || t END",
    "trino_uuid_text(t)": f"CASE WHEN regexp_full_match(t, '{_UUID}') THEN t ELSE 'no UUID: ' || t END",
    "trino_left(t, n)": "substr(t, 1, n)",
    "trino_plain_double(d)": "CASE WHEN isnan(d) OR isinf(d) THEN 'no number: ' || CAST(d AS VARCHAR) "
    "ELSE CAST(d AS VARCHAR) END",
    "trino_text_of_day(t)": r"CASE WHEN regexp_full_match(t, '\d{4}-\d\d-\d\d') OR t IS NULL THEN t "
    "ELSE error('a date before year 1 or after 9999 has another text on Trino: ' || t) END",
    "trino_text_of_moment(t, n)": "CASE WHEN t LIKE '%)' OR t LIKE '_____-%' "
    "THEN error('a time before year 1 or after 9999 has another text on Trino: ' || t) "
    "WHEN n = 0 THEN split_part(t, '.', 1) "
    "ELSE split_part(t, '.', 1) || '.' || rpad(left(split_part(t, '.', 2), n), n, '0') END",
    # Texts
    "trino_substr(t, s)": "CASE WHEN t IS NULL THEN NULL WHEN s = 0 OR s < -length(t) THEN '' ELSE substr(t, s) END",
    "trino_substr_of(t, s, n)": "CASE WHEN t IS NULL OR s IS NULL OR n IS NULL THEN NULL WHEN s = 0 OR s < -length(t) OR n <= 0 THEN '' ELSE substr(t, s, n) END",
    "trino_lpad(t, n, f)": "CASE WHEN n < 0 OR f = '' THEN error('Padding must have a size and a text') "
    "ELSE lpad(t, CAST(n AS INTEGER), f) END",
    "trino_rpad(t, n, f)": "CASE WHEN n < 0 OR f = '' THEN error('Padding must have a size and a text') "
    "ELSE rpad(t, CAST(n AS INTEGER), f) END",
    "trino_split_part(t, d, n)": "CASE WHEN n < 1 THEN error('Index must be greater than zero') "
    "ELSE list_extract(str_split(t, d), n) END",
    "trino_chr(n)": "CASE WHEN n < 1 OR n > 1114111 OR n BETWEEN 55296 AND 57343 "
    "THEN error('Not a valid Unicode code point: ' || n) ELSE chr(CAST(n AS INTEGER)) END",
    "trino_translate(t, f, g)": "translate(t, f, g)",
    "trino_md5(b)": "unhex(md5(b))",
    "trino_sha1(b)": "unhex(sha1(b))",
    "trino_sha256(b)": "unhex(sha256(b))",
    "trino_from_hex(t)": "unhex(CASE WHEN length(t) % 2 = 1 THEN error('invalid input length') ELSE t END)",
    "trino_regexp_extract(t, p, g := 0)": "CASE WHEN regexp_matches(t, p) THEN "
    "nullif(regexp_extract(t, p, g), chr(0)) END",
    "trino_regexp_replace(t, p, r)": "regexp_replace(t, p, r, 'g')",
    "trino_regexp_count(t, p)": "CAST(len(regexp_extract_all(t, p)) AS BIGINT)",
    # Times
    "trino_millisecond(t)": "millisecond(t) % 1000",
    "trino_date(t)": "CAST(t AS DATE)",
    "trino_date_of_text(t)": "CAST(trino_day(t) AS DATE)",
    "trino_iso_date(t)": r"CAST(CASE WHEN regexp_full_match(t, '\d{4}-\d\d-\d\d') THEN t "
    "ELSE error('not proved to be the same date on Trino: ' || t) END AS DATE)",
    "trino_iso_instant(t)": "CAST(t AS TIMESTAMPTZ)",
    "trino_from_unixtime(n)": "to_timestamp(floor(n * 1000 + 0.5) / 1000)",
    "trino_today()": "current_date",
    "trino_date_add(u, n, t)": "t + CASE lower(u) WHEN 'second' THEN to_seconds(n) WHEN 'minute' THEN to_minutes(n) "
    "WHEN 'hour' THEN to_hours(n) WHEN 'day' THEN to_days(CAST(n AS INTEGER)) "
    "WHEN 'week' THEN to_days(CAST(7 * n AS INTEGER)) WHEN 'month' THEN to_months(CAST(n AS INTEGER)) "
    "WHEN 'quarter' THEN to_months(CAST(3 * n AS INTEGER)) WHEN 'year' THEN to_years(CAST(n AS INTEGER)) END",
    # JSON
    "trino_json(t)": "CAST(t AS JSON)",
    "trino_json_text(j)": "CAST(j AS VARCHAR)",
    "trino_json_scalar(j, p)": "CASE json_type(json_extract(j, p)) WHEN 'ARRAY' THEN NULL WHEN 'OBJECT' THEN NULL "
    "WHEN 'DOUBLE' THEN CASE WHEN contains(CAST(j AS VARCHAR), json_extract_string(j, p)) "
    "THEN json_extract_string(j, p) ELSE error('not proved to be the same number on Trino: ' || CAST(j AS VARCHAR)) END "
    "ELSE json_extract_string(j, p) END",
    "trino_json_array_length(j)": "CASE WHEN json_type(j) = 'ARRAY' THEN CAST(json_array_length(j) AS BIGINT) END",
    "trino_json_to_varchar(j)": "CASE json_type(j) WHEN 'VARCHAR' THEN json_extract_string(j, '$') WHEN 'NULL' THEN NULL "
    "WHEN 'BIGINT' THEN CAST(j AS VARCHAR) WHEN 'UBIGINT' THEN CAST(j AS VARCHAR) WHEN 'BOOLEAN' THEN CAST(j AS VARCHAR) "
    "ELSE CASE WHEN j IS NOT NULL THEN error('not proved to be the same text on Trino: ' || CAST(j AS VARCHAR)) END END",
    "trino_json_to_bigint(j)": "CASE json_type(j) WHEN 'NULL' THEN NULL WHEN 'BIGINT' THEN CAST(j AS VARCHAR) "
    "WHEN 'UBIGINT' THEN CAST(j AS VARCHAR) WHEN 'BOOLEAN' THEN CASE CAST(j AS VARCHAR) WHEN 'true' THEN '1' ELSE '0' END "
    "ELSE CASE WHEN j IS NOT NULL THEN error('not proved to be the same number on Trino: ' || CAST(j AS VARCHAR)) END END",
    "trino_json_to_double(j)": "CASE json_type(j) WHEN 'NULL' THEN NULL WHEN 'BIGINT' THEN CAST(j AS VARCHAR) "
    "WHEN 'UBIGINT' THEN CAST(j AS VARCHAR) WHEN 'DOUBLE' THEN CAST(j AS VARCHAR) "
    "ELSE CASE WHEN j IS NOT NULL THEN error('not proved to be the same number on Trino: ' || CAST(j AS VARCHAR)) END END",
    "trino_json_to_boolean(j)": "CASE json_type(j) WHEN 'NULL' THEN NULL WHEN 'BOOLEAN' THEN CAST(j AS VARCHAR) "
    "ELSE CASE WHEN j IS NOT NULL THEN error('not proved to be the same on Trino: ' || CAST(j AS VARCHAR)) END END",
    **{
        f"trino_json_to_{name}s(j)": "CASE WHEN json_type(j) = 'ARRAY' THEN list_transform(json_extract(j, '$[*]'), "
        f"lambda e: trino_json_to_{name}(e)) WHEN json_type(j) = 'NULL' OR j IS NULL THEN NULL "
        "ELSE error('not proved to be the same array on Trino: ' || CAST(j AS VARCHAR)) END"
        for name in ("varchar", "bigint", "double", "boolean")
    },
    # Arrays and maps
    "trino_map_size(m)": "CAST(len(map_keys(m)) AS BIGINT)",
    "trino_contains(a, x)": "CASE WHEN a IS NULL OR x IS NULL THEN NULL WHEN list_contains(a, x) THEN true "
    "WHEN list_count(a) < len(a) THEN NULL ELSE false END",
    "trino_append(a, x)": "CASE WHEN a IS NULL OR x IS NULL THEN NULL ELSE list_append(a, x) END",
    "trino_prepend(x, a)": "CASE WHEN a IS NULL OR x IS NULL THEN NULL ELSE list_prepend(x, a) END",
    "trino_array_distinct(a)": "list_filter(a, lambda e, i: CASE WHEN e IS NULL THEN i - list_count(a[1:i]) = 1 "
    "ELSE list_position(a, e) = i END)",
    "trino_array_sort(a)": "list_sort(a, 'ASC', 'NULLS LAST')",
    "trino_array_max(a)": "CASE WHEN list_count(a) < len(a) THEN NULL ELSE list_max(a) END",
    "trino_array_min(a)": "CASE WHEN list_count(a) < len(a) THEN NULL ELSE list_min(a) END",
    "trino_array_position(a, x)": "CASE WHEN a IS NULL OR x IS NULL THEN NULL "
    "ELSE CAST(coalesce(list_position(a, x), 0) AS BIGINT) END",
    "trino_array_remove(a, x)": "CASE WHEN x IS NULL THEN NULL ELSE list_filter(a, lambda e: e IS DISTINCT FROM x) END",
    "trino_array_union(a, b)": "CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE trino_array_distinct(list_concat(a, b)) END",
    "trino_array_except(a, b)": "CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE list_filter(trino_array_distinct(a), "
    "lambda e: CASE WHEN e IS NULL THEN list_count(b) = len(b) ELSE NOT list_contains(b, e) END) END",
    "trino_array_common(a, b)": "list_filter(trino_array_distinct(a), "
    "lambda e: CASE WHEN e IS NULL THEN list_count(b) < len(b) ELSE list_contains(b, e) END)",
    "trino_array_intersect(a, b)": "CASE WHEN a IS NULL OR b IS NULL THEN NULL "
    "WHEN len(a) < len(b) THEN trino_array_common(b, a) ELSE trino_array_common(a, b) END",
    "trino_arrays_overlap(a, b)": "CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN list_has_any(a, b) THEN true "
    "WHEN len(a) = 0 OR len(b) = 0 THEN false "
    "WHEN list_count(a) < len(a) OR list_count(b) < len(b) THEN NULL ELSE false END",
    "trino_array_join(a, s)": "CASE WHEN s IS NULL THEN NULL ELSE coalesce(array_to_string(list_filter(a, "
    "lambda e: e IS NOT NULL), s), CASE WHEN a IS NOT NULL THEN '' END) END",
    "trino_array_join_with(a, s, n)": "CASE WHEN s IS NULL OR n IS NULL THEN NULL ELSE coalesce(array_to_string("
    "list_transform(a, lambda e: coalesce(CAST(e AS VARCHAR), n)), s), CASE WHEN a IS NOT NULL THEN '' END) END",
    "trino_slice(a, s, n)": "CASE WHEN a IS NULL OR s IS NULL OR n IS NULL THEN NULL WHEN s = 0 THEN error('SQL array indices start at 1') "
    "WHEN n < 0 THEN error('length must be greater than or equal to 0') "
    "WHEN s > 0 THEN list_slice(a, s, s + n - 1) WHEN -s > len(a) THEN a[1:0] "
    "ELSE list_slice(a, len(a) + s + 1, len(a) + s + n) END",
    "trino_trim_array(a, n)": "CASE WHEN n < 0 OR n > len(a) THEN error('size must be between 0 and the cardinality') "
    "ELSE list_slice(a, 1, len(a) - n) END",
    "trino_flatten(a)": "flatten(a)",
    "trino_sequence(a, b)": "CASE WHEN a <= b THEN generate_series(a, b) ELSE generate_series(a, b, -1) END",
    "trino_sequence_by(a, b, s)": "CASE WHEN s = 0 OR (s > 0 AND a > b) OR (s < 0 AND a < b) "
    "THEN error('sequence stop value should be on the way of its step') "
    "ELSE generate_series(a, b, s) END",
    "trino_repeat(x, n)": "CASE WHEN n < 0 OR n > 10000 THEN error('count must be between 0 and 10000') "
    "ELSE list_transform(generate_series(1, n), lambda i: x) END",
    "trino_any(l)": "CASE WHEN list_contains(l, true) THEN true WHEN list_count(l) < len(l) THEN NULL "
    "WHEN l IS NULL THEN NULL ELSE false END",
    "trino_all(l)": "CASE WHEN list_contains(l, false) THEN false WHEN list_count(l) < len(l) THEN NULL "
    "WHEN l IS NULL THEN NULL ELSE true END",
    "trino_none(l)": "NOT trino_any(l)",
    "trino_no_map()": "MAP {}",
    "trino_map_concat(a, b)": "CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE map_concat(a, b) END",
    # Aggregates
    "trino_corr(a, b)": "CASE WHEN count(*) FILTER (WHERE a IS NOT NULL AND b IS NOT NULL) > 1 THEN corr(a, b) END",
    "trino_regr_slope(a, b)": "regr_slope(a, b)",
    "trino_regr_intercept(a, b)": "regr_intercept(a, b)",
}  # fmt: skip

SIGNATURE_MACROS = "".join(f";\nCREATE OR REPLACE TEMP MACRO {head} AS {body}" for head, body in MACROS.items())
