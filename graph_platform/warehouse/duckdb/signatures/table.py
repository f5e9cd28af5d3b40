"""The rows of the table; `functions.py` says how they are read."""

TABLE = r"""
abs(bigint) -> bigint = abs
abs(decimal) -> decimal = abs
abs(double) -> double = abs
abs(integer) -> integer = abs
abs(real) -> real = abs
abs(smallint) -> smallint = abs
abs(tinyint) -> tinyint = abs
acos(double) -> double = acos
all_match(array(T), function(T, boolean)) -> boolean = trino_all* where any
any_match(array(T), function(T, boolean)) -> boolean = trino_any* where any
any_value(T) -> T = any_value
approx_distinct(T) -> bigint ! both estimate, each in its own way
approx_distinct(T, double) -> bigint ! both estimate, each in its own way
approx_distinct(boolean) -> bigint ! both estimate, each in its own way
approx_distinct(boolean, double) -> bigint ! both estimate, each in its own way
approx_distinct(unknown) -> bigint ! both estimate, each in its own way
approx_distinct(unknown, double) -> bigint ! both estimate, each in its own way
approx_most_frequent(bigint, bigint, bigint) -> map(bigint,bigint)
approx_most_frequent(bigint, varchar, bigint) -> map(varchar,bigint)
approx_percentile(bigint, array(double)) -> array(bigint) ! both estimate, each in its own way
approx_percentile(bigint, double) -> bigint ! both estimate, each in its own way
approx_percentile(bigint, double, array(double)) -> array(bigint) ! both estimate, each in its own way
approx_percentile(bigint, double, double) -> bigint ! both estimate, each in its own way
approx_percentile(bigint, double, double, double) -> bigint ! both estimate, each in its own way
approx_percentile(double, array(double)) -> array(double) ! both estimate, each in its own way
approx_percentile(double, double) -> double ! both estimate, each in its own way
approx_percentile(double, double, array(double)) -> array(double) ! both estimate, each in its own way
approx_percentile(double, double, double) -> double ! both estimate, each in its own way
approx_percentile(double, double, double, double) -> double ! both estimate, each in its own way
approx_percentile(real, array(double)) -> array(real) ! both estimate, each in its own way
approx_percentile(real, double) -> real ! both estimate, each in its own way
approx_percentile(real, double, array(double)) -> array(real) ! both estimate, each in its own way
approx_percentile(real, double, double) -> real ! both estimate, each in its own way
approx_percentile(real, double, double, double) -> real ! both estimate, each in its own way
arbitrary(T) -> T = any_value
array_agg(T) -> array(T) = array_agg where any
array_distinct(array(E)) -> array(E) = trino_array_distinct
array_except(array(E), array(E)) -> array(E) = trino_array_except
array_histogram(array(T)) -> map(T,bigint) = trino_array_histogram as result
array_intersect(array(E), array(E)) -> array(E) = trino_array_intersect
array_join(array(varchar), varchar) -> varchar = trino_array_join
array_join(array(varchar), varchar, varchar) -> varchar = trino_array_join_with
array_join(array(tinyint), varchar) -> varchar = trino_array_join
array_join(array(tinyint), varchar, varchar) -> varchar = trino_array_join_with
array_join(array(smallint), varchar) -> varchar = trino_array_join
array_join(array(smallint), varchar, varchar) -> varchar = trino_array_join_with
array_join(array(integer), varchar) -> varchar = trino_array_join
array_join(array(integer), varchar, varchar) -> varchar = trino_array_join_with
array_join(array(bigint), varchar) -> varchar = trino_array_join
array_join(array(bigint), varchar, varchar) -> varchar = trino_array_join_with
array_join(array(boolean), varchar) -> varchar = trino_array_join
array_join(array(boolean), varchar, varchar) -> varchar = trino_array_join_with
array_join(array(E), varchar) -> varchar = texts_joined where any
array_join(array(E), varchar, varchar) -> varchar = texts_joined where any
array_max(array(double)) -> double = trino_array_max_double
array_max(array(T)) -> T = trino_array_max
array_min(array(double)) -> double = trino_array_min_double
array_min(array(T)) -> T = trino_array_min
array_position(array(T), T) -> bigint = trino_array_position
array_remove(array(E), E) -> array(E) = trino_array_remove
array_sort(array(E)) -> array(E) = trino_array_sort
array_sort(array(T), function(T, T, integer)) -> array(T)
array_union(array(E), array(E)) -> array(E) = trino_array_union
arrays_overlap(array(E), array(E)) -> boolean = trino_arrays_overlap
asin(double) -> double = asin
at_timezone(timestamp with time zone, varchar) -> timestamp with time zone
atan(double) -> double = atan
atan2(double, double) -> double = atan2
avg(bigint) -> double = avg
avg(decimal) -> decimal = averaged
avg(double) -> double = avg
avg(real) -> real
beta_cdf(double, double, double) -> double
bit_count(bigint, bigint) -> bigint = trino_bit_count as result
bitwise_and(bigint, bigint) -> bigint = trino_bitwise_and as result
bitwise_and_agg(bigint) -> bigint = bit_and
bitwise_left_shift(bigint, integer) -> bigint = trino_shift_left($1, $2, 64) as result
bitwise_left_shift(integer, integer) -> integer = trino_shift_left($1, $2, 32) as result
bitwise_left_shift(smallint, integer) -> smallint = trino_shift_left($1, $2, 16) as result
bitwise_left_shift(tinyint, integer) -> tinyint = trino_shift_left($1, $2, 8) as result
bitwise_not(bigint) -> bigint = trino_bitwise_not as result
bitwise_or(bigint, bigint) -> bigint = trino_bitwise_or as result
bitwise_or_agg(bigint) -> bigint = bit_or
bitwise_right_shift(bigint, integer) -> bigint = trino_shift_right($1, $2, 64) as result
bitwise_right_shift(integer, integer) -> integer = trino_shift_right($1, $2, 32) as result
bitwise_right_shift(smallint, integer) -> smallint = trino_shift_right($1, $2, 16) as result
bitwise_right_shift(tinyint, integer) -> tinyint = trino_shift_right($1, $2, 8) as result
bitwise_right_shift_arithmetic(bigint, integer) -> bigint = trino_shift_right_signed($1, $2, 64) as result
bitwise_right_shift_arithmetic(integer, integer) -> integer = trino_shift_right_signed($1, $2, 32) as result
bitwise_right_shift_arithmetic(smallint, integer) -> smallint = trino_shift_right_signed($1, $2, 16) as result
bitwise_right_shift_arithmetic(tinyint, integer) -> tinyint = trino_shift_right_signed($1, $2, 8) as result
bitwise_xor(bigint, bigint) -> bigint = trino_bitwise_xor as result
bitwise_xor_agg(bigint) -> bigint = bit_xor
bool_and(boolean) -> boolean = bool_and
bool_or(boolean) -> boolean = bool_or
cardinality(array(E)) -> bigint = len where any
cardinality(map(K, V)) -> bigint = trino_map_size where any
cbrt(double) -> double ! the last digit may differ
ceil(bigint) -> bigint = itself
ceil(decimal) -> decimal = ceil as result
ceil(double) -> double = ceil
ceil(integer) -> integer = itself
ceil(real) -> real = ceil
ceil(smallint) -> smallint = itself
ceil(tinyint) -> tinyint = itself
ceiling(bigint) -> bigint = itself
ceiling(decimal) -> decimal = ceil as result
ceiling(double) -> double = ceil
ceiling(integer) -> integer = itself
ceiling(real) -> real = ceil
ceiling(smallint) -> smallint = itself
ceiling(tinyint) -> tinyint = itself
checksum(T) -> varbinary
chr(bigint) -> varchar = trino_chr
codepoint(varchar) -> integer = unicode where letter
combinations(array(T), integer) -> array(array(T))
concat(E, array(E)) -> array(E) = trino_prepend where any
concat(array(E), E) -> array(E) = trino_append where any
concat(array(E), array(E)...) -> array(E) = joined where any
concat(varbinary, varbinary...) -> varbinary = joined
concat(varchar, varchar...) -> varchar = joined
concat_ws(varchar, array(varchar)) -> varchar = trino_concat_ws
concat_ws(varchar, varchar...) -> varchar = concat_ws
contains(array(T), T) -> boolean = trino_contains
contains_sequence(array(T), array(T)) -> boolean = trino_contains_sequence
corr(double, double) -> double = trino_corr
corr(real, real) -> real = trino_corr as result
cos(double) -> double = cos
cosh(double) -> double = cosh
cosine_distance(array(double), array(double)) -> double
cosine_similarity(array(double), array(double)) -> double
cosine_similarity(map(varchar, double), map(varchar, double)) -> double
count() -> bigint
count(T) -> bigint = count where any
count_if(boolean) -> bigint = count_if as result
covar_pop(double, double) -> double = covar_pop
covar_pop(real, real) -> real = covar_pop as result
covar_samp(double, double) -> double = covar_samp
covar_samp(real, real) -> real = covar_samp as result
crc32(varbinary) -> bigint
cume_dist() -> double = cume_dist
current_date() -> date = trino_today
current_groups() -> array(varchar)
current_timezone() -> varchar
date(timestamp) -> date = trino_date
date(timestamp with time zone) -> date = trino_date
date(varchar) -> date = trino_date_of_text
date_add(varchar, bigint, date) -> date = trino_date_add as result where day_unit
date_add(varchar, bigint, timestamp) -> timestamp = trino_date_add as result where unit
date_add(varchar, bigint, timestamp with time zone) -> timestamp with time zone = trino_date_add as result where unit
date_diff(varchar, date, date) -> bigint = date_sub where day_unit
date_diff(varchar, timestamp with time zone, timestamp with time zone) -> bigint
date_diff(varchar, timestamp, timestamp) -> bigint = trino_date_diff where fine_unit
date_format(timestamp with time zone, varchar) -> varchar = parsed where date_pattern
date_format(timestamp, varchar) -> varchar = parsed where date_pattern
date_parse(varchar, varchar) -> timestamp3 = parsed as result where parse_pattern
date_trunc(varchar, date) -> date = date_trunc as result where day_unit
date_trunc(varchar, timestamp) -> timestamp = date_trunc as result where fine_unit
date_trunc(varchar, timestamp with time zone) -> timestamp with time zone = date_trunc as result where unit
day(date) -> bigint = day
day(timestamp) -> bigint = day
day(timestamp with time zone) -> bigint = day
day_of_month(date) -> bigint = day
day_of_month(timestamp) -> bigint = day
day_of_month(timestamp with time zone) -> bigint = day
day_of_week(date) -> bigint = isodow
day_of_week(timestamp) -> bigint = isodow
day_of_week(timestamp with time zone) -> bigint = isodow
day_of_year(date) -> bigint = dayofyear
day_of_year(timestamp) -> bigint = dayofyear
day_of_year(timestamp with time zone) -> bigint = dayofyear
degrees(double) -> double = degrees
dense_rank() -> bigint = dense_rank
dot_product(array(double), array(double)) -> double
dow(date) -> bigint = isodow
dow(timestamp) -> bigint = isodow
dow(timestamp with time zone) -> bigint = isodow
doy(date) -> bigint = dayofyear
doy(timestamp) -> bigint = dayofyear
doy(timestamp with time zone) -> bigint = dayofyear
e() -> double = trino_e
element_at(array(E), bigint) -> E = trino_element_at where any
element_at(map(K, V), K) -> V = trino_element_at where any
euclidean_distance(array(double), array(double)) -> double
every(boolean) -> boolean = bool_and
exp(double) -> double = exp
filter(array(T), function(T, boolean)) -> array(T) = list_filter where any
first_value(T) -> T = first_value where any
flatten(array(array(E))) -> array(E) = trino_flatten where any
floor(bigint) -> bigint = itself
floor(decimal) -> decimal = floor as result
floor(double) -> double = floor
floor(integer) -> integer = itself
floor(real) -> real = floor
floor(smallint) -> smallint = itself
floor(tinyint) -> tinyint = itself
format_datetime(timestamp with time zone, varchar) -> varchar
format_datetime(timestamp, varchar) -> varchar
format_number(bigint) -> varchar
format_number(double) -> varchar
from_base(varchar, bigint) -> bigint = trino_from_base as result
from_base32(varbinary) -> varbinary
from_base32(varchar) -> varbinary
from_base64(varbinary) -> varbinary
from_base64(varchar) -> varbinary = from_base64
from_base64url(varbinary) -> varbinary
from_base64url(varchar) -> varbinary = trino_from_base64url
from_big_endian_32(varbinary) -> integer
from_big_endian_64(varbinary) -> bigint
from_hex(varbinary) -> varbinary
from_hex(varchar) -> varbinary = trino_from_hex
from_ieee754_32(varbinary) -> real
from_ieee754_64(varbinary) -> double
from_iso8601_date(varchar) -> date = trino_iso_date
from_iso8601_timestamp(varchar) -> zoned3 = trino_iso_instant where utc_text
from_iso8601_timestamp_nanos(varchar) -> timestamp with time zone
from_unixtime(double) -> zoned3 = trino_from_unixtime
from_unixtime(double, bigint, bigint) -> zoned3
from_unixtime(double, varchar) -> zoned3
from_unixtime_nanos(bigint) -> timestamp with time zone
from_unixtime_nanos(decimal) -> timestamp with time zone
from_utf8(varbinary) -> varchar = decode
from_utf8(varbinary, bigint) -> varchar
from_utf8(varbinary, varchar) -> varchar
geometric_mean(bigint) -> double = geomean
geometric_mean(double) -> double = geomean
geometric_mean(real) -> real
great_circle_distance(double, double, double, double) -> double
hamming_distance(varchar, varchar) -> bigint = trino_hamming_distance
histogram(T) -> map(T,bigint) = histogram as result
hmac_md5(varbinary, varbinary) -> varbinary
hmac_sha1(varbinary, varbinary) -> varbinary
hmac_sha256(varbinary, varbinary) -> varbinary
hmac_sha512(varbinary, varbinary) -> varbinary
hour(timestamp) -> bigint = hour
hour(timestamp with time zone) -> bigint = hour
human_readable_seconds(double) -> varchar
infinity() -> double = trino_infinity
inverse_beta_cdf(double, double, double) -> double
inverse_normal_cdf(double, double, double) -> double
is_finite(double) -> boolean = isfinite
is_infinite(double) -> boolean = isinf
is_json_scalar(json) -> boolean = trino_is_json_scalar
is_json_scalar(varchar) -> boolean = trino_is_json_scalar
is_nan(double) -> boolean = isnan
is_nan(real) -> boolean = isnan
json_array_contains(json, bigint) -> boolean = trino_json_contains_bigint
json_array_contains(json, boolean) -> boolean = trino_json_contains_boolean
json_array_contains(json, double) -> boolean
json_array_contains(json, varchar) -> boolean = trino_json_contains_varchar
json_array_contains(varchar, bigint) -> boolean = trino_json_contains_bigint
json_array_contains(varchar, boolean) -> boolean = trino_json_contains_boolean
json_array_contains(varchar, double) -> boolean
json_array_contains(varchar, varchar) -> boolean = trino_json_contains_varchar
json_array_get(json, bigint) -> json
json_array_get(varchar, bigint) -> json
json_array_length(json) -> bigint = trino_json_array_length
json_array_length(varchar) -> bigint = trino_json_array_length
json_extract(json, varchar) -> json = json_extract where simple_path
json_extract(varchar, varchar) -> json = json_extract where canonical, simple_path
json_extract_scalar(json, varchar) -> varchar = trino_json_scalar where simple_path
json_extract_scalar(varchar, varchar) -> varchar = trino_json_scalar where simple_path
json_format(json) -> varchar = trino_json_text
json_parse(varchar) -> json = trino_json where canonical
json_size(json, varchar) -> bigint = trino_json_size where simple_path
json_size(varchar, varchar) -> bigint = trino_json_size where simple_path
kurtosis(bigint) -> double
kurtosis(double) -> double
lag(T) -> T = lag where any
lag(T, bigint) -> T = lag where any
lag(T, bigint, T) -> T = lag where any
last_day_of_month(date) -> date = last_day
last_day_of_month(timestamp) -> date = last_day
last_day_of_month(timestamp with time zone) -> date = last_day
last_value(T) -> T = last_value where any
lead(T) -> T = lead where any
lead(T, bigint) -> T = lead where any
lead(T, bigint, T) -> T = lead where any
length(varbinary) -> bigint = octet_length
length(varchar) -> bigint = length
levenshtein_distance(varchar, varchar) -> bigint = trino_levenshtein_distance
ln(double) -> double = ln
log(double, double) -> double ! the last digit may differ
log10(double) -> double ! the last digit may differ
log2(double) -> double ! the last digit may differ
lower(varchar) -> varchar = lower
lpad(varbinary, bigint, varbinary) -> varbinary
lpad(varchar, bigint, varchar) -> varchar = trino_lpad
ltrim(varchar) -> varchar = trino_ltrim
ltrim(varchar, varchar) -> varchar = ltrim
luhn_check(varchar) -> boolean = trino_luhn_check
map() -> map(unknown,unknown) = trino_no_map
map(array(K), array(V)) -> map(K,V) = map where any
map_agg(K, V) -> map(K,V) = gathered where any_value, no_clauses
map_concat(map(K, V)...) -> map(K,V) = trino_map_concat
map_entries(map(K, V)) -> array(row(K,V)) = map_entries where any
map_filter(map(K, V), function(K, V, boolean)) -> map(K,V) = entries where any
map_from_entries(array(row(K, V))) -> map(K,V) = map_from_entries
map_keys(map(K, V)) -> array(K) = map_keys where any
map_union(map(K, V)) -> map(K,V)
map_values(map(K, V)) -> array(V) = map_values where any
map_zip_with(map(K, V1), map(K, V2), function(K, V1, V2, V3)) -> map(K,V3)
max(E, bigint) -> array(E) = max
max(double) -> double = without_nan where no_clauses
max(T) -> T = max
max_by(V, double) -> V = by_number where any, no_clauses
max_by(V, K) -> V = arg_max_null where any_value
max_by(V, K, bigint) -> array(V)
md5(varbinary) -> varbinary = trino_md5
millisecond(timestamp) -> bigint = trino_millisecond
millisecond(timestamp with time zone) -> bigint = trino_millisecond
min(E, bigint) -> array(E) = min
min(double) -> double = without_nan where no_clauses
min(T) -> T = min
min_by(V, double) -> V = by_number where any, no_clauses
min_by(V, K) -> V = arg_min_null where any_value
min_by(V, K, bigint) -> array(V)
minute(timestamp) -> bigint = minute
minute(timestamp with time zone) -> bigint = minute
mod(bigint, bigint) -> bigint = trino_modulo
mod(decimal, decimal) -> decimal
mod(double, double) -> double = trino_modulo_double
mod(integer, integer) -> integer = trino_modulo
mod(real, real) -> real
mod(smallint, smallint) -> smallint
mod(tinyint, tinyint) -> tinyint
month(date) -> bigint = month
month(timestamp) -> bigint = month
month(timestamp with time zone) -> bigint = month
multimap_agg(K, V) -> map(K,array(V)) = gathered where any_value, no_clauses
multimap_from_entries(array(row(K, V))) -> map(K,array(V))
murmur3(varbinary) -> varbinary
nan() -> double = trino_nan
ngrams(array(T), integer) -> array(array(T)) = trino_ngrams where any
none_match(array(T), function(T, boolean)) -> boolean = trino_none* where any
normal_cdf(double, double, double) -> double
normalize(varchar, varchar) -> varchar
now() -> zoned3 = now
nth_value(T, bigint) -> T = nth_value where any
ntile(bigint) -> bigint = ntile
numeric_histogram(bigint, double) -> map(double,double)
numeric_histogram(bigint, double, double) -> map(double,double)
numeric_histogram(bigint, real) -> map(real,real)
numeric_histogram(bigint, real, double) -> map(real,real)
parse_data_size(varchar) -> decimal
parse_datetime(varchar, varchar) -> zoned3
parse_presto_data_size(varchar) -> decimal
percent_rank() -> double = percent_rank
pi() -> double = pi
pow(double, double) -> double = trino_pow
power(double, double) -> double = trino_pow
quarter(date) -> bigint = quarter
quarter(timestamp) -> bigint = quarter
quarter(timestamp with time zone) -> bigint = quarter
radians(double) -> double = radians
rand() -> double = random
rand(bigint) -> bigint
rand(bigint, bigint) -> bigint
rand(integer) -> integer
rand(integer, integer) -> integer
rand(smallint) -> smallint
rand(smallint, smallint) -> smallint
rand(tinyint) -> tinyint
rand(tinyint, tinyint) -> tinyint
random() -> double = random
random(bigint) -> bigint
random(bigint, bigint) -> bigint
random(integer) -> integer
random(integer, integer) -> integer
random(smallint) -> smallint
random(smallint, smallint) -> smallint
random(tinyint) -> tinyint
random(tinyint, tinyint) -> tinyint
rank() -> bigint = rank
reduce(array(T), S, function(S, T, S), function(S, R)) -> R = reduced where any
reduce_agg(T, S, function(S, T, S), function(S, S, S)) -> S
regexp_count(varchar, varchar) -> bigint = trino_regexp_count where pattern, consuming
regexp_extract(varchar, varchar) -> varchar = trino_regexp_extract where pattern
regexp_extract(varchar, varchar, bigint) -> varchar = trino_regexp_extract where pattern, group
regexp_extract_all(varchar, varchar) -> array(varchar) = regexp_extract_all where pattern, consuming
regexp_extract_all(varchar, varchar, bigint) -> array(varchar) = regexp_extract_all where pattern, consuming, group
regexp_like(varchar, varchar) -> boolean = regexp_matches where tested_pattern
regexp_position(varchar, varchar) -> integer
regexp_position(varchar, varchar, integer) -> integer
regexp_position(varchar, varchar, integer, integer) -> integer
regexp_replace(varchar, varchar) -> varchar = regexp_replace($1, $2, '', 'g') where pattern, consuming
regexp_replace(varchar, varchar, function(array(varchar), varchar)) -> varchar
regexp_replace(varchar, varchar, varchar) -> varchar = parsed where pattern, consuming, dollars
regexp_split(varchar, varchar) -> array(varchar) = regexp_split_to_array where pattern, consuming
regr_intercept(double, double) -> double = trino_regr_intercept
regr_intercept(real, real) -> real = trino_regr_intercept as result
regr_slope(double, double) -> double = trino_regr_slope
regr_slope(real, real) -> real = trino_regr_slope as result
repeat(T, bigint) -> array(T) = trino_repeat where any
replace(varchar, varchar) -> varchar = replace($1, $2, '') where nonempty
replace(varchar, varchar, varchar) -> varchar = replace where nonempty
reverse(array(E)) -> array(E) = list_reverse where any
reverse(varbinary) -> varbinary
reverse(varchar) -> varchar = trino_reverse
round(bigint) -> bigint = itself
round(bigint, integer) -> bigint = trino_round_whole as result
round(decimal) -> decimal = round as result
round(decimal, integer) -> decimal = round as result
round(double) -> double = round
round(double, integer) -> double = trino_round
round(integer) -> integer = itself
round(integer, integer) -> integer = trino_round_whole as result
round(real) -> real
round(real, integer) -> real
round(smallint) -> smallint = itself
round(smallint, integer) -> smallint = trino_round_whole as result
round(tinyint) -> tinyint = itself
round(tinyint, integer) -> tinyint = trino_round_whole as result
row_number() -> bigint = row_number
rpad(varbinary, bigint, varbinary) -> varbinary
rpad(varchar, bigint, varchar) -> varchar = trino_rpad
rtrim(varchar) -> varchar = trino_rtrim
rtrim(varchar, varchar) -> varchar = rtrim
second(timestamp) -> bigint = second
second(timestamp with time zone) -> bigint = second
sequence(bigint, bigint) -> array(bigint) = trino_sequence where short
sequence(bigint, bigint, bigint) -> array(bigint) = trino_sequence_by where short
sequence(date, date) -> array(date) = trino_sequence_of_days
sequence(date, date, interval day to second) -> array(date) = trino_sequence_of_days_by where day_step
sha1(varbinary) -> varbinary = trino_sha1
sha256(varbinary) -> varbinary = trino_sha256
sha512(varbinary) -> varbinary
shuffle(array(E)) -> array(E)
sign(bigint) -> bigint = sign as result
sign(decimal) -> decimal = sign as result
sign(double) -> double = trino_sign as result
sign(integer) -> integer = sign as result
sign(real) -> real
sign(smallint) -> smallint
sign(tinyint) -> tinyint
sin(double) -> double = sin
sinh(double) -> double = sinh
skewness(bigint) -> double
skewness(double) -> double
slice(array(E), bigint, bigint) -> array(E) = trino_slice where any
soundex(varchar) -> varchar ! DuckDB has none
split(varchar, varchar) -> array(varchar) = str_split where nonempty
split(varchar, varchar, bigint) -> array(varchar) = trino_split where nonempty
split_part(varchar, varchar, bigint) -> varchar = trino_split_part where nonempty
split_to_map(varchar, varchar, varchar) -> map(varchar,varchar) = trino_split_to_map where delimiters
split_to_multimap(varchar, varchar, varchar) -> map(varchar,array(varchar))
spooky_hash_v2_32(varbinary) -> varbinary
spooky_hash_v2_64(varbinary) -> varbinary
sqrt(double) -> double = sqrt
starts_with(varchar, varchar) -> boolean = starts_with
stddev(bigint) -> double = stddev_samp
stddev(double) -> double = stddev_samp
stddev_pop(bigint) -> double = stddev_pop
stddev_pop(double) -> double = stddev_pop
stddev_samp(bigint) -> double = stddev_samp
stddev_samp(double) -> double = stddev_samp
strpos(varchar, varchar) -> bigint = strpos
strpos(varchar, varchar, bigint) -> bigint = trino_strpos where letter_sought
substr(varbinary, bigint) -> varbinary = trino_substr_bytes
substr(varbinary, bigint, bigint) -> varbinary = trino_substr_bytes_of
substr(varchar, bigint) -> varchar = trino_substr
substr(varchar, bigint, bigint) -> varchar = trino_substr_of
substring(varchar, bigint) -> varchar = trino_substr
substring(varchar, bigint, bigint) -> varchar = trino_substr_of
sum(bigint) -> bigint = sum as result
sum(decimal) -> decimal = sum as result
sum(double) -> double = sum
sum(real) -> real
t_cdf(double, double) -> double
t_pdf(double, double) -> double
tan(double) -> double = tan
tanh(double) -> double = tanh
timezone(timestamp with time zone) -> varchar
timezone_hour(timestamp with time zone) -> bigint
timezone_minute(timestamp with time zone) -> bigint
to_base(bigint, bigint) -> varchar = trino_to_base
to_base32(varbinary) -> varchar
to_base64(varbinary) -> varchar = to_base64
to_base64url(varbinary) -> varchar = trino_to_base64url
to_big_endian_32(integer) -> varbinary
to_big_endian_64(bigint) -> varbinary
to_hex(varbinary) -> varchar = hex
to_ieee754_32(real) -> varbinary
to_ieee754_64(double) -> varbinary
to_iso8601(date) -> varchar = trino_iso_text_of_day
to_iso8601(timestamp) -> varchar = iso_moment
to_iso8601(timestamp with time zone) -> varchar
to_unixtime(timestamp with time zone) -> double = epoch
to_utf8(varchar) -> varbinary = encode
transform(array(T), function(T, U)) -> array(U) = list_transform where any
transform_keys(map(K1, V), function(K1, V, K2)) -> map(K2,V) = entries where any
transform_values(map(K, V1), function(K, V1, V2)) -> map(K,V2) = entries where any
translate(varchar, varchar, varchar) -> varchar = trino_translate
trim(varchar) -> varchar = trino_trim
trim(varchar, varchar) -> varchar = trim
trim_array(array(E), bigint) -> array(E) = trino_trim_array where any
truncate(decimal) -> decimal = trunc as result
truncate(decimal, integer) -> decimal
truncate(double) -> double = trunc
truncate(real) -> real
typeof(T) -> varchar
upper(varchar) -> varchar = trino_upper
url_decode(varchar) -> varchar = trino_url_decode
url_encode(varchar) -> varchar = trino_url_encode
url_extract_fragment(varchar) -> varchar = trino_url_fragment
url_extract_host(varchar) -> varchar = trino_url_host
url_extract_parameter(varchar, varchar) -> varchar = trino_url_parameter
url_extract_path(varchar) -> varchar = trino_url_path
url_extract_port(varchar) -> bigint = trino_url_port
url_extract_protocol(varchar) -> varchar = trino_url_protocol
url_extract_query(varchar) -> varchar = trino_url_query
uuid() -> uuid = uuid
var_pop(bigint) -> double = var_pop
var_pop(double) -> double = var_pop
var_samp(bigint) -> double = var_samp
var_samp(double) -> double = var_samp
variance(bigint) -> double = var_samp
variance(double) -> double = var_samp
week(date) -> bigint = week
week(timestamp) -> bigint = week
week(timestamp with time zone) -> bigint = week
week_of_year(date) -> bigint = week
week_of_year(timestamp) -> bigint = week
week_of_year(timestamp with time zone) -> bigint = week
width_bucket(double, array(double)) -> bigint
width_bucket(double, double, double, bigint) -> bigint = trino_width_bucket
wilson_interval_lower(bigint, bigint, double) -> double
wilson_interval_upper(bigint, bigint, double) -> double
with_timezone(timestamp, varchar) -> timestamp with time zone
word_stem(varchar) -> varchar
word_stem(varchar, varchar) -> varchar
xxhash64(varbinary) -> varbinary
year(date) -> bigint = year
year(timestamp) -> bigint = year
year(timestamp with time zone) -> bigint = year
year_of_week(date) -> bigint = isoyear
year_of_week(timestamp) -> bigint = isoyear
year_of_week(timestamp with time zone) -> bigint = isoyear
yow(date) -> bigint = isoyear
yow(timestamp) -> bigint = isoyear
yow(timestamp with time zone) -> bigint = isoyear
zip(array(T1), array(T2)) -> array(row(T1,T2)) = trino_zip where any
zip(array(T1), array(T2), array(T3)) -> array(row(T1,T2,T3))
zip(array(T1), array(T2), array(T3), array(T4)) -> array(row(T1,T2,T3,T4))
zip(array(T1), array(T2), array(T3), array(T4), array(T5)) -> array(row(T1,T2,T3,T4,T5))
zip_with(array(T), array(U), function(T, U, R)) -> array(R) = entries where any
"""
