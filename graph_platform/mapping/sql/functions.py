"""Which functions there are: those of Trino, by name. What DuckDB has beside them is not for a mapping.

Whether one of them gives the same on DuckDB, and how it is called there, is `graph_platform.warehouse.duckdb`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from graph_platform.mapping.sql.gate import CheckedQuery, line_and_column, tokens_of


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TRINO_FUNCTIONS = _words(
    """
    abs acos all_match any_match any_value approx_distinct approx_most_frequent approx_percentile approx_set
    arbitrary array_agg array_distinct array_except array_histogram array_intersect array_join array_max array_min
    array_position array_remove array_sort array_union arrays_overlap asin at_timezone atan atan2 avg bar beta_cdf
    bing_tile bing_tile_at bing_tile_coordinates bing_tile_polygon bing_tile_quadkey bing_tile_zoom_level
    bing_tiles_around bit_count bitwise_and bitwise_and_agg bitwise_left_shift bitwise_not bitwise_or bitwise_or_agg
    bitwise_right_shift bitwise_right_shift_arithmetic bitwise_xor bitwise_xor_agg bool_and bool_or cardinality cbrt
    ceil ceiling checksum chr codepoint color combinations concat concat_ws contains contains_sequence
    convex_hull_agg corr cos cosh cosine_distance cosine_similarity count count_if covar_pop covar_samp crc32
    cume_dist current_date current_groups current_timezone date date_add date_diff date_format date_parse date_trunc
    day day_of_month day_of_week day_of_year degrees dense_rank dot_product dow doy e element_at empty_approx_set
    euclidean_distance every exp filter first_value flatten floor format_datetime format_number from_base
    from_base32 from_base64 from_base64url from_big_endian_32 from_big_endian_64 from_encoded_polyline
    from_geojson_geometry from_hex from_ieee754_32 from_ieee754_64 from_iso8601_date from_iso8601_timestamp
    from_iso8601_timestamp_nanos from_unixtime from_unixtime_nanos from_utf8 geometric_mean
    geometry_from_hadoop_shape geometry_invalid_reason geometry_nearest_points geometry_to_bing_tiles geometry_union
    geometry_union_agg great_circle_distance greatest hamming_distance hash_counts histogram hmac_md5 hmac_sha1
    hmac_sha256 hmac_sha512 hour human_readable_seconds infinity intersection_cardinality inverse_beta_cdf
    inverse_normal_cdf is_finite is_infinite is_json_scalar is_nan jaccard_index json_array_contains json_array_get
    json_array_length json_extract json_extract_scalar json_format json_parse json_size kurtosis lag
    last_day_of_month last_value lead least length levenshtein_distance line_interpolate_point
    line_interpolate_points line_locate_point listagg ln log log10 log2 lower lpad ltrim luhn_check make_set_digest
    map map_agg map_concat map_entries map_filter map_from_entries map_keys map_union map_values map_zip_with max
    max_by md5 merge merge_set_digest millisecond min min_by minute mod month multimap_agg multimap_from_entries
    murmur3 nan ngrams none_match normal_cdf normalize now nth_value ntile numeric_histogram parse_data_size
    parse_datetime parse_duration parse_presto_data_size percent_rank pi pow power qdigest_agg quantile_at_value
    quarter radians rand random rank reduce reduce_agg regexp_count regexp_extract regexp_extract_all regexp_like
    regexp_position regexp_replace regexp_split regr_intercept regr_slope render repeat replace reverse rgb round
    row_number rpad rtrim second sequence sha1 sha256 sha512 shuffle sign simplify_geometry sin sinh skewness slice
    soundex spatial_partitioning spatial_partitions split split_part split_to_map split_to_multimap
    spooky_hash_v2_32 spooky_hash_v2_64 sqrt st_area st_asbinary st_astext st_boundary st_buffer st_centroid
    st_contains st_convexhull st_coorddim st_crosses st_difference st_dimension st_disjoint st_distance st_endpoint
    st_envelope st_envelopeaspts st_equals st_exteriorring st_geometries st_geometryfromtext st_geometryn
    st_geometrytype st_geomfrombinary st_geomfromkml st_interiorringn st_interiorrings st_intersection st_intersects
    st_isclosed st_isempty st_isring st_issimple st_isvalid st_length st_linefromtext st_linestring st_multipoint
    st_numgeometries st_numinteriorring st_numpoints st_overlaps st_point st_pointn st_points st_polygon st_relate
    st_startpoint st_symdifference st_touches st_union st_within st_x st_xmax st_xmin st_y st_ymax st_ymin
    starts_with stddev stddev_pop stddev_samp strpos substr substring sum t_cdf t_pdf tan tanh tdigest_agg timezone
    timezone_hour timezone_minute to_base to_base32 to_base64 to_base64url to_big_endian_32 to_big_endian_64
    to_encoded_polyline to_geojson_geometry to_geometry to_hex to_ieee754_32 to_ieee754_64 to_iso8601
    to_milliseconds to_spherical_geography to_unixtime to_utf8 transform transform_keys transform_values translate
    trim trim_array truncate typeof upper url_decode url_encode url_extract_fragment url_extract_host
    url_extract_parameter url_extract_path url_extract_port url_extract_protocol url_extract_query uuid
    value_at_quantile values_at_quantiles var_pop var_samp variance week week_of_year width_bucket
    wilson_interval_lower wilson_interval_upper with_timezone word_stem xxhash64 year year_of_week yow zip zip_with
    """
)
"""What `SHOW FUNCTIONS` of Trino 476 lists with its plugins for Hive and geometry: names in lower case."""

# What Trino's grammar writes like a function.
_OF_THE_GRAMMAR = _words(
    """
    any cast coalesce current_time current_timestamp extract format grouping if json_array json_exists json_object
    json_query json_table json_value localtime localtimestamp nullif position some table try try_cast unnest
    """
)
# Types with numbers or other types in parentheses.
_TYPES = _words("array char decimal map row time timestamp varchar")
# What else of the language may stand before a parenthesis. None of it is a function of DuckDB's.
_WORDS = _words(
    """
    all and as bernoulli between by case cube distinct else escape except exists filter from group having in intersect
    join lateral like match_recognize not on or over rollup select sets system then union using value values when where
    with within
    """
)
_BEFORE_A_PARENTHESIS = _OF_THE_GRAMMAR | _TYPES | _WORDS


@dataclass(frozen=True)
class UnknownFunction:
    """A call of something that Trino does not have: the name as it is written, its place from 1, and what is near."""

    name: str
    position: tuple[int, int]
    candidates: tuple[str, ...]


def unknown_functions(query: CheckedQuery) -> Iterator[UnknownFunction]:
    """Each call of a function that Trino has not, told from the words of the text and not from the parser's tree.

    The parser knows the functions of thirty dialects, and makes one node of many names; what stands before a
    parenthesis is one of few things, and what is none of those does not pass.
    """
    assert query.tree is not None  # noqa: S101
    tokens = tokens_of(query.sql)
    # Names with the names of their columns in parentheses: `WITH t(a, b) AS (…)`, `AS t(a, b)`.
    named = {alias.this.meta.get("start") for alias in query.tree.find_all(exp.TableAlias) if alias.this is not None}
    for index in range(len(tokens) - 1):
        token = tokens[index]
        if tokens[index + 1].token_type != TokenType.L_PAREN or not _is_word(token) or token.start in named:
            continue
        qualified = index > 0 and tokens[index - 1].token_type == TokenType.DOT
        if qualified or not _is_known(token):
            first = index
            while qualified and first > 1 and tokens[first - 1].token_type == TokenType.DOT:
                first -= 2
            name = ".".join(part.text for part in tokens[first : index + 1 : 2])
            near = get_close_matches(token.text.lower(), TRINO_FUNCTIONS, n=3, cutoff=0.75)
            yield UnknownFunction(name, line_and_column(query.sql, tokens[first].start), tuple(near))


def _is_word(token: Token) -> bool:
    return token.token_type == TokenType.IDENTIFIER or token.text[:1].isalpha() or token.text[:1] in "_$@#"


def _is_known(token: Token) -> bool:
    word = token.text.lower()
    if word in TRINO_FUNCTIONS:
        return True
    # In quotes a word is a name, and the tokenizer makes one token of GROUP BY.
    return token.token_type != TokenType.IDENTIFIER and word.split()[-1] in _BEFORE_A_PARENTHESIS
