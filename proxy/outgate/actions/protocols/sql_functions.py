"""Functions in SQL that do more than compute, as far as their names say."""

from __future__ import annotations

import re
from typing import Final

from outgate.actions.access import judge
from outgate.actions.action import Access, Tier

type Done = tuple[Access, Tier, str]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILES: Final = _names(
    "pg_read_file pg_read_binary_file pg_ls_dir pg_ls_logdir pg_ls_waldir pg_ls_tmpdir pg_ls_archive_statusdir pg_stat_file "
    "pg_current_logfile lo_import lo_export lo_get load_file readfile writefile edit file filecluster read_csv "
    "read_csv_auto read_text read_blob read_json read_parquet glob openrowset bulk load_extension fts3_tokenizer "
    "pg_file_write pg_file_read pg_file_rename pg_file_unlink pg_file_sync"
)
_REMOTE: Final = _names(
    "url urlcluster s3 s3cluster gcs hdfs hdfscluster azureblobstorage azureblobstoragecluster remote remotesecure cluster "
    "clusterallreplicas mysql postgresql mongodb redis jdbc odbc sqlite deltalake iceberg hudi executable input openquery "
    "opendatasource external_query http_get http_post http_put http_delete http_patch http_head http http_request ai_query "
    "ai_generate ai_gen aws_lambda invoke_lambda utl_http postgres_query mysql_query read_files"
)
_RUNS: Final = _names(
    "query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml table_to_xml database_to_xml schema_to_xml "
    "ts_stat ts_rewrite crosstab connectby sys_exec sys_eval java_method reflect query sp_executesql xp_cmdshell "
    "sp_oacreate sp_oamethod pg_start_backup pg_stop_backup execute exec eval"
)
_SETS: Final = _names(
    "pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile set_config pg_switch_wal pg_switch_xlog "
    "pg_create_restore_point pg_promote pg_wal_replay_pause pg_wal_replay_resume pg_logical_emit_message "
    "pg_import_system_collations pg_create_physical_replication_slot pg_create_logical_replication_slot "
    "pg_drop_replication_slot pg_stat_reset pg_export_snapshot"
)
_WRITES: Final = _names(
    "nextval setval lo_create lo_creat lo_put lo_from_bytea lo_unlink lo_truncate lowrite pg_notify last_insert_id "
    "pg_advisory_lock pg_advisory_xact_lock pg_try_advisory_lock get_lock release_lock"
)
_WAITS: Final = _names("pg_sleep pg_sleep_for pg_sleep_until sleep benchmark sleepeachrow waitfor")
_FAMILIES: Final = re.compile(r"(?:xp_|sp_|dblink|lo_|pg_ls_|pg_read_|pg_file_|system\$|utl_|dbms_)\w*")
_KNOWN: Final = (
    (_FILES, (Access.EXECUTE, Tier.T2, "a function reads or writes files of the server")),
    (_REMOTE, (Access.SEND, Tier.T2, "a function has the server ask elsewhere")),
    (_RUNS, (Access.EXECUTE, Tier.T2, "a function runs what it is given")),
    (_SETS, (Access.ADMIN, Tier.T2, "a function changes how the server runs")),
    (_WRITES, (Access.WRITE, Tier.T1, "a function changes something")),
    (_WAITS, (Access.EXECUTE, Tier.T1, "a function keeps the server busy")),
)
_COMPUTING: Final = re.compile(
    r"(?:json|jsonb|array|regexp|st|h3|bitmap|map|str|string|object|xml|approx|percentile|regr|range|multirange|bit|hash)_\w+"
    r"|(?:quantile|uniq|arg|toStartOf|toDate|toString|toInt|toUInt|toFloat|toYear|toMonth|dictGet|formatReadable|JSON|array|map)"
    r"[A-Za-z0-9]*"
    r"|pg_(?:typeof|get_\w+|size_\w+|\w+_size|\w+_is_visible|encoding_to_char|backend_pid|postmaster_start_time|is_\w+)"
)
"""Families of functions of which each only computes."""
_LIKELY: Final = re.compile(
    r"(?:to|is|has|parse|try|safe|date|time|timestamp|format|make|current|list|col|obj|vector|word|unix|from|ts|net|gen|uuid)_\w+"
)
"""Families that only compute unless a name says otherwise."""
_PLAIN: Final = _names(
    "sha1 sha224 sha256 sha384 sha512 sha md5 crc32 hex unhex char chr ascii ord conv bin oct elt field mod pow sign log "
    "log2 log10 exp sqrt ceil floor round abs greatest least coalesce ifnull nullif nvl nvl2 iif iff decode encode digest "
    "hmac total changes typeof instr printf likely unlikely julianday strftime datetime unixepoch rank ntile lag lead "
    "values extract position overlay translate initcap reverse repeat replace lpad rpad soundex levenshtein isnull "
    "isnotnull len datalength getdate getutcdate dateadd datediff datepart datename eomonth choose host masklen network "
    "family width_bucket trunc div cbrt degrees radians pi sin cos tan asin acos atan atan2 every bool_and bool_or mode "
    "corr covar_pop covar_samp stddev stddev_pop stddev_samp variance var_pop var_samp count sum avg min max median "
    "histogram listagg numbers zeros if multiif empty notempty arrayjoin tuple tupleelement score match knn cardinality "
    "element_at contains filter transform reduce sequence zip_with farm_fingerprint error version now age random rand user "
    "database schema session_user current_user generate_series generate_subscripts unnest explode flatten cosine_distance "
    "l2_distance similarity plainto_tsquery phraseto_tsquery websearch_to_tsquery setweight array_agg string_agg "
    "group_concat row row_to_json quote_ident quote_literal quote_nullable gen_random_uuid uuid_generate_v4 uuid uuidv7 "
    "random_uuid lower upper length trim ltrim rtrim btrim left right split concat concat_ws substring substr base64 year "
    "quarter month day hour minute second week weekday dayofweek dayofyear last_day any_value first_value last_value "
    "nth_value dense_rank percent_rank cume_dist row_number grouping obj_description col_description has_table_privilege "
    "format split_part starts_with ends_with startswith endswith chars octet_length bit_length bit_count num_nulls "
    "num_nonnulls scale numeric_inc width_bucket txid_current_snapshot clock_timestamp statement_timestamp "
    "transaction_timestamp timeofday lcase ucase locate find_in_set charindex patindex stuff isnumeric isdate parsename "
    "newid sysdatetime sysutcdatetime getansinull sum_distinct table_info view_definition ratio_to_report"
)


def done_by(name: str) -> Done | None:
    """What calling a function that the parser does not know does, beside computing; None if nothing.

    A function that nobody knows runs something: people give names to what writes as well.
    """
    folded = name.lower()
    for names, done in _KNOWN:
        if folded in names:
            return done
    if _FAMILIES.fullmatch(folded):
        return Access.EXECUTE, Tier.T2, "a function of the server's own"
    if folded in _PLAIN or _COMPUTING.fullmatch(name) or _COMPUTING.fullmatch(folded):
        return None
    judged = judge(name)
    if judged.access.only_reads or judged.access is Access.UNKNOWN:
        likely = _LIKELY.fullmatch(folded) is not None
        return None if likely else (Access.EXECUTE, Tier.T1, "it calls a function that is not known")
    return judged.access, max(judged.tier, Tier.T1), "it calls a function whose name says so"
