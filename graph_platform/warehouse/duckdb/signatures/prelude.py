"""DuckDB's macros that compute what Trino's functions do, where DuckDB has no function with the same values."""

# ruff: noqa: E501

from __future__ import annotations

_NAN = "coalesce(isnan({}) AND {} IS NOT NULL, false)"
_URL = (
    r"([A-Za-z][A-Za-z0-9.-]*)://([A-Za-z0-9][A-Za-z0-9.-]*)(?::(\d{1,5}))?(/[A-Za-z0-9._~/-]*)?"
    r"(?:\?([A-Za-z0-9._~=&/-]*))?(?:#([A-Za-z0-9._~=/-]*))?"
)
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
    "trino_two_to(n)": "CAST(pow(2, n) AS HUGEINT)",
    "trino_unsigned(a, n)": "((a % trino_two_to(n)) + trino_two_to(n)) % trino_two_to(n)",
    "trino_signed(a, n)": "CASE WHEN a >= trino_two_to(n - 1) THEN a - trino_two_to(n) ELSE a END",
    "trino_bit_count(a, n)": "CASE WHEN n < 2 OR n > 64 THEN error('Bits specified must be between 2 and 64') "
    "WHEN n < 64 AND (a >= trino_two_to(n - 1) OR a < -trino_two_to(n - 1)) "
    "THEN error('Number must be representable with the bits specified') "
    "ELSE bit_count(trino_unsigned(CAST(a AS HUGEINT), n)) END",
    # The bits that leave a number on its left are gone before it is shifted, so that HUGEINT has room for the rest.
    "trino_shift_left(a, s, n)": "CASE WHEN s < 0 THEN error('not proved to be shifted as on Trino') WHEN s >= n THEN 0 * a ELSE trino_signed("
    "trino_unsigned(CAST(a AS HUGEINT), n - s) * trino_two_to(s), n) END",
    "trino_shift_right(a, s, n)": "CASE WHEN s < 0 THEN error('not proved to be shifted as on Trino') WHEN s >= n THEN 0 * a ELSE trino_signed("
    "trino_unsigned(CAST(a AS HUGEINT), n) // trino_two_to(s), n) END",
    "trino_shift_right_signed(a, s, n)": "CASE WHEN s < 0 THEN error('not proved to be shifted as on Trino') WHEN s >= n THEN CASE WHEN a < 0 THEN -1 ELSE 0 * a END "
    "ELSE (CAST(a AS HUGEINT) - trino_unsigned(CAST(a AS HUGEINT), s)) // trino_two_to(s) END",
    "trino_digits(t)": "list_transform(str_split(lower(ltrim(t, '-')), ''), "
    "lambda c: CAST(strpos('0123456789abcdefghijklmnopqrstuvwxyz', c) - 1 AS HUGEINT))",
    "trino_from_base(t, r)": "CASE WHEN r < 2 OR r > 36 THEN error('Radix must be between 2 and 36') "
    "WHEN NOT regexp_full_match(t, '-?[0-9a-zA-Z]{1,24}') OR list_max(trino_digits(t)) >= r "
    "THEN error('Not a valid number of this base: ' || t) "
    "ELSE CASE WHEN t LIKE '-%' THEN -1 ELSE 1 END * list_reduce(trino_digits(t), lambda a, d: a * r + d) END",
    "trino_luhn_check(t)": "CASE WHEN regexp_matches(t, '[^0-9]') THEN error('Input contains non-digit character') "
    "WHEN t = '' THEN false ELSE list_sum(list_transform(trino_digits(reverse(t)), "
    "lambda d, i: CASE WHEN i % 2 = 1 THEN d WHEN d > 4 THEN 2 * d - 9 ELSE 2 * d END)) % 10 = 0 END",
    "trino_round_whole(a, n)": "CASE WHEN n >= 0 THEN CAST(a AS HUGEINT) WHEN n < -18 "
    "THEN CASE WHEN a IS NOT NULL THEN error('not proved to be rounded as on Trino') END "
    "ELSE sign(a) * ((abs(CAST(a AS HUGEINT)) + 5 * CAST(pow(10, -n - 1) AS HUGEINT)) // CAST(pow(10, -n) AS HUGEINT)) "
    "* CAST(pow(10, -n) AS HUGEINT) END",
    "trino_width_bucket(x, a, b, n)": "CASE WHEN x IS NULL OR a IS NULL OR b IS NULL OR n IS NULL THEN NULL "
    "WHEN n <= 0 OR isnan(x) OR isinf(a) OR isinf(b) OR isnan(a) OR isnan(b) OR a = b "
    "THEN error('width_bucket takes a number, two bounds that differ and a number of buckets') "
    "ELSE CASE WHEN a > b THEN n + 1 ELSE 0 END + CASE WHEN a > b THEN -1 ELSE 1 END * CASE WHEN x < least(a, b) THEN 0 "
    "WHEN x >= greatest(a, b) THEN n + 1 "
    "ELSE CAST(floor(n * (x - least(a, b)) / (greatest(a, b) - least(a, b))) AS BIGINT) + 1 END END",
    # Comparisons of DOUBLEs: NaN is equal to nothing, and not the largest.
    "trino_equal(a, b)": f"(a = b AND NOT ({_NAN.format('a', 'b')}))",
    "trino_unequal(a, b)": f"(a <> b OR ({_NAN.format('a', 'b')}) AND a = b)",
    "trino_less(a, b)": f"(a < b AND NOT ({_NAN.format('b', 'a')}))",
    "trino_less_or_equal(a, b)": f"(a <= b AND NOT ({_NAN.format('b', 'a')}) AND NOT ({_NAN.format('a', 'b')}))",
    "trino_greatest(l)": "CASE WHEN list_count(l) < len(l) THEN NULL ELSE list_max(l) END",
    "trino_least(l)": "CASE WHEN list_count(l) < len(l) THEN NULL ELSE list_min(l) END",
    "trino_array_max_double(a)": "CASE WHEN list_count(a) < len(a) THEN NULL "
    "ELSE coalesce(list_max(list_filter(a, lambda e: NOT isnan(e))), list_max(a)) END",
    "trino_array_min_double(a)": "CASE WHEN list_count(a) < len(a) THEN NULL ELSE list_min(a) END",
    "trino_greatest_double(l)": "trino_array_max_double(l)",
    "trino_least_double(l)": "trino_array_min_double(l)",
    "trino_not_nan(x)": "CASE WHEN NOT isnan(x) THEN x END",
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
    "trino_moment(t)": "CASE WHEN regexp_matches(t, ' 24:') THEN 'not a timestamp: ' || t "
    r"WHEN regexp_full_match(t, "
    r"'\s*\d{4}-\d{1,2}-\d{1,2}( \d{1,2}:\d{1,2}(:\d{1,2}(\.\d{1,6})?)?)?\s*') THEN trim(t) "
    r"WHEN regexp_matches(t, '\d') THEN error('not proved to be the same timestamp on Trino: ' || t) "
    "ELSE 'not a timestamp: ' || t END",
    "trino_uuid_text(t)": f"CASE WHEN regexp_full_match(t, '{_UUID}') THEN t ELSE 'no UUID: ' || t END",
    "trino_left(t, n)": "substr(t, 1, n)",
    "trino_plain_double(d)": "CASE WHEN isnan(d) OR isinf(d) THEN 'no number: ' || CAST(d AS VARCHAR) "
    "ELSE CAST(d AS VARCHAR) END",
    "trino_text_of_fraction(t)": "CASE WHEN starts_with(t, '-.') THEN '-0' || substr(t, 2) "
    "WHEN starts_with(t, '.') THEN '0' || t ELSE t END",
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
    "trino_split(t, d, n)": "CASE WHEN t IS NULL OR n IS NULL THEN NULL WHEN n <= 0 OR n > 2147483647 THEN error('Limit must be positive, and no more than 2^31') "
    "WHEN len(str_split(t, d)) <= n THEN str_split(t, d) ELSE list_append(list_slice(str_split(t, d), 1, n - 1), "
    "array_to_string(list_slice(str_split(t, d), n, len(str_split(t, d))), d)) END",
    "trino_strpos(t, s, n)": "CASE WHEN n < 1 THEN error('not proved to be the same place on Trino') "
    "WHEN len(str_split(t, s)) <= n THEN 0 "
    "ELSE CAST(length(array_to_string(list_slice(str_split(t, s), 1, n), s)) + 1 AS BIGINT) END",
    "trino_concat_ws(s, a)": "CASE WHEN s IS NULL OR a IS NULL THEN NULL "
    "ELSE coalesce(array_to_string(list_filter(a, lambda e: e IS NOT NULL), s), '') END",
    "trino_hamming_distance(t, u)": "CASE WHEN length(t) <> length(u) "
    "THEN error('The input strings to hamming_distance must have the same length') "
    "WHEN t IS NULL OR u IS NULL THEN NULL ELSE CAST(len(list_filter(generate_series(1, length(t)), "
    "lambda i: substr(t, i, 1) <> substr(u, i, 1))) AS BIGINT) END",
    "trino_levenshtein_distance(t, u)": r"CASE WHEN regexp_matches(t || u, '[^\x00-\x7F]') "
    "THEN error('not proved to be the same distance on Trino: DuckDB counts bytes') ELSE levenshtein(t, u) END",
    # Addresses: those without escapes or anything that one of the two might read in another way.
    "trino_url(t, n)": f"CASE WHEN regexp_full_match(t, '{_URL}') THEN regexp_extract(t, '{_URL}', n) "
    "WHEN t IS NOT NULL THEN error('not proved to be read in the same way on Trino: ' || t) END",
    "trino_url_protocol(t)": "trino_url(t, 1)",
    "trino_url_host(t)": "trino_url(t, 2)",
    "trino_url_port(t)": "CAST(nullif(trino_url(t, 3), '') AS BIGINT)",
    "trino_url_path(t)": "trino_url(t, 4)",
    "trino_url_query(t)": "trino_url(t, 5)",
    "trino_url_fragment(t)": "trino_url(t, 6)",
    "trino_url_parameter(t, k)": "CASE WHEN t IS NOT NULL AND k IS NOT NULL THEN "
    "list_extract(list_transform(list_filter(str_split(trino_url(t, 5), '&'), "
    "lambda e: split_part(e, '=', 1) = k AND trino_url(t, 5) <> ''), "
    "lambda e: CASE WHEN contains(e, '=') THEN substr(e, length(k) + 2) ELSE '' END), 1) END",
    "trino_url_encode(t)": "replace(replace(replace(url_encode(t), '%20', '+'), '~', '%7E'), '%2A', '*')",
    "trino_url_decode(t)": "CASE WHEN regexp_matches(t, '%($|[^0-9A-Fa-f]|.($|[^0-9A-Fa-f]))') "
    "THEN error('Illegal hex characters in escape (%) pattern') ELSE url_decode(replace(t, '+', ' ')) END",
    # Bytes
    "trino_to_base64url(b)": "translate(to_base64(b), '+/', '-_')",
    "trino_from_base64url(t)": "from_base64(translate(t, '-_', '+/'))",
    "trino_substr_bytes(b, s)": "CASE WHEN b IS NULL OR s IS NULL THEN NULL WHEN s = 0 OR s < -octet_length(b) "
    "OR s > octet_length(b) THEN CAST('' AS BLOB) "
    "ELSE unhex(substr(hex(b), CASE WHEN s > 0 THEN 2 * s - 1 ELSE 2 * s END)) END",
    "trino_substr_bytes_of(b, s, n)": "CASE WHEN n IS NULL THEN NULL WHEN n <= 0 AND b IS NOT NULL AND s IS NOT NULL "
    "THEN CAST('' AS BLOB) ELSE unhex(substr(hex(trino_substr_bytes(b, s)), 1, 2 * n)) END",
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
    "trino_date_diff(u, a, b)": "CASE WHEN lower(u) = 'millisecond' "
    "THEN epoch_ms(date_trunc('millisecond', b)) - epoch_ms(date_trunc('millisecond', a)) ELSE date_sub(u, a, b) END",
    "trino_iso_text_of_day(d)": "trino_text_of_day(CAST(d AS VARCHAR))",
    "trino_sequence_of_days(a, b)": "CASE WHEN abs(b - a) >= 10000 THEN error('a sequence has 10000 entries at most') "
    "ELSE CAST(generate_series(CAST(a AS TIMESTAMP), CAST(b AS TIMESTAMP), "
    "CASE WHEN a <= b THEN INTERVAL 1 DAY ELSE INTERVAL (-1) DAY END) AS DATE[]) END",
    "trino_sequence_of_days_by(a, b, s)": "CASE WHEN s = INTERVAL 0 DAY OR (s > INTERVAL 0 DAY AND a > b) "
    "OR (s < INTERVAL 0 DAY AND a < b) THEN error('sequence stop value should be on the way of its step') "
    "WHEN abs(b - a) >= 10000 THEN error('not proved to have 10000 entries at most, as on Trino') "
    "ELSE CAST(generate_series(CAST(a AS TIMESTAMP), CAST(b AS TIMESTAMP), s) AS DATE[]) END",
    "trino_today()": "current_date",
    "trino_date_add(u, n, t)": "t + CASE lower(u) WHEN 'second' THEN to_seconds(n) WHEN 'minute' THEN to_minutes(n) "
    "WHEN 'hour' THEN to_hours(n) WHEN 'day' THEN to_days(CAST(n AS INTEGER)) "
    "WHEN 'week' THEN to_days(CAST(7 * n AS INTEGER)) WHEN 'month' THEN to_months(CAST(n AS INTEGER)) "
    "WHEN 'quarter' THEN to_months(CAST(3 * n AS INTEGER)) WHEN 'year' THEN to_years(CAST(n AS INTEGER)) END",
    # JSON
    "trino_json(t)": "CAST(t AS JSON)",
    "trino_json_text(j)": "CAST(j AS VARCHAR)",
    "trino_json_scalar(j, p)": "CASE json_type(json_extract(j, p)) WHEN 'ARRAY' THEN NULL WHEN 'OBJECT' THEN NULL "
    r"WHEN 'DOUBLE' THEN CASE WHEN NOT regexp_matches(CAST(j AS VARCHAR), '\.\d*0([^\d]|$)|\d[eE]') "
    "AND contains(CAST(j AS VARCHAR), json_extract_string(j, p)) "
    "THEN json_extract_string(j, p) ELSE error('not proved to be the same number on Trino: ' || CAST(j AS VARCHAR)) END "
    "ELSE json_extract_string(j, p) END",
    "trino_json_array_length(j)": "CASE WHEN json_type(j) = 'ARRAY' THEN CAST(json_array_length(j) AS BIGINT) END",
    "trino_json_size(j, p)": "CASE json_type(json_extract(j, p)) WHEN 'ARRAY' THEN CAST(json_array_length(j, p) AS BIGINT) "
    "WHEN 'OBJECT' THEN CAST(len(json_keys(j, p)) AS BIGINT) ELSE CASE WHEN json_extract(j, p) IS NOT NULL THEN 0 END END",
    "trino_is_json_scalar(j)": "json_type(j) NOT IN ('ARRAY', 'OBJECT')",
    **{
        f"trino_json_contains_{name}(j, x)": "CASE WHEN json_type(j) = 'ARRAY' AND x IS NOT NULL THEN "
        f"list_contains(list_transform(json_extract(j, '$[*]'), lambda e: CASE WHEN json_type(e) IN ({kinds}) "
        "THEN json_extract_string(e, '$') END), CAST(x AS VARCHAR)) END"
        for name, kinds in (("bigint", "'BIGINT', 'UBIGINT'"), ("varchar", "'VARCHAR'"), ("boolean", "'BOOLEAN'"))
    },
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
    **{
        f"trino_json_to_{name}_map(j)": "CASE WHEN json_type(j) = 'OBJECT' THEN map(json_keys(j), "
        f"trino_json_to_{name}s(to_json(map_values(CAST(j AS MAP(VARCHAR, JSON)))))) "
        "WHEN json_type(j) = 'NULL' OR j IS NULL THEN NULL "
        "ELSE error('not proved to be the same map on Trino: ' || CAST(j AS VARCHAR)) END"
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
    "WHEN n > 2147483647 THEN error('not proved to be the same part on Trino') "
    "WHEN s > 0 THEN list_slice(a, s, s + n - 1) WHEN -s > len(a) THEN a[1:0] "
    "ELSE list_slice(a, len(a) + s + 1, len(a) + s + n) END",
    "trino_trim_array(a, n)": "CASE WHEN n < 0 OR n > len(a) THEN error('size must be between 0 and the cardinality') "
    "ELSE list_slice(a, 1, len(a) - n) END",
    "trino_array_histogram(a)": "map_from_entries(list_transform(list_distinct(list_filter(a, lambda e: e IS NOT NULL)), "
    "lambda e: row(e, len(list_filter(a, lambda x: x = e)))))",
    "trino_contains_sequence(a, b)": "CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN len(b) = 0 THEN true "
    "ELSE len(list_filter(generate_series(1, len(a) - len(b) + 1), "
    "lambda i: list_slice(a, i, i + len(b) - 1) IS NOT DISTINCT FROM b)) > 0 END",
    "trino_ngrams(a, n)": "CASE WHEN n < 1 THEN error('N must be positive') WHEN len(a) <= n THEN [a] "
    "ELSE list_transform(generate_series(1, len(a) - n + 1), lambda i: list_slice(a, i, i + n - 1)) END",
    "trino_zip(a, b)": "CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE list_zip(a, b) END",
    "trino_array_equal(a, b)": "CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN len(a) <> len(b) "
    "OR len(list_filter(list_zip(a, b), lambda e: e[1] <> e[2])) > 0 THEN false "
    "WHEN list_count(a) < len(a) OR list_count(b) < len(b) THEN NULL ELSE true END",
    "trino_firsts(l)": "list_filter(l, lambda e, i: list_position(list_transform(l, lambda x: x[1]), e[1]) = i)",
    "trino_map_of(l)": "CASE WHEN len(list_filter(l, lambda e: e[1] IS NOT NULL)) > 0 "
    "THEN map_from_entries(trino_firsts(list_filter(l, lambda e: e[1] IS NOT NULL))) END",
    "trino_multimap_of(l)": "CASE WHEN len(list_filter(l, lambda e: e[1] IS NOT NULL)) > 0 "
    "THEN map_from_entries(list_transform(trino_firsts(list_filter(l, lambda e: e[1] IS NOT NULL)), lambda e: "
    "row(e[1], list_transform(list_filter(l, lambda x: x[1] = e[1]), lambda x: x[2])))) END",
    "trino_flatten(a)": "flatten(a)",
    "trino_sequence(a, b)": "CASE WHEN abs(CAST(b AS HUGEINT) - a) >= 10000 "
    "THEN error('a sequence has 10000 entries at most') WHEN a <= b THEN generate_series(a, b) ELSE generate_series(a, b, -1) END",
    "trino_sequence_by(a, b, s)": "CASE WHEN s = 0 OR (s > 0 AND a > b) OR (s < 0 AND a < b) "
    "THEN error('sequence stop value should be on the way of its step') "
    "WHEN (CAST(b AS HUGEINT) - a) // s >= 10000 THEN error('a sequence has 10000 entries at most') "
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
    "trino_split_to_map(t, d, e)": "CASE WHEN t = '' THEN CAST(MAP {} AS MAP(VARCHAR, VARCHAR)) "
    "ELSE map_from_entries(list_transform(str_split(t, d), lambda p: CASE WHEN len(str_split(p, e)) <> 2 "
    "THEN error('Key-value delimiter must appear exactly once in each entry') "
    "ELSE row(str_split(p, e)[1], str_split(p, e)[2]) END)) END",
    # Aggregates
    # Where DuckDB has NaN, Trino has NULL.
    **{
        f"trino_{name}(a, b)": f"CASE WHEN NOT isnan({name}(a, b)) THEN {name}(a, b) END"
        for name in ("corr", "regr_slope", "regr_intercept")
    },
}  # fmt: skip

SIGNATURE_MACROS = "".join(f";\nCREATE OR REPLACE TEMP MACRO {head} AS {body}" for head, body in MACROS.items())
