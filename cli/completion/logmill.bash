# Completion of logmill for bash. The flags here and those of `logmill run --help` are held together by a test.
_logmill() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
  local common='--plugin-dir --isolate --isolate-memory --isolate-time --log-level --log-format --help'
  local stores='--s3-endpoint --s3-region --s3-profile --az-endpoint --no-sign-request --requester-pays' encryption='--s3-sse --s3-sse-kms-key-id'
  local inputs="--objects-from --since --until --account --region --requests $stores"
  local run="--to --plugin --rejects --stats --state --checkpoint --shard --progress --threads --memory --raw-data --validate
    --max-decoded --max-ratio --max-record --config $inputs $encryption $common"
  COMPREPLY=()

  if [[ $COMP_CWORD -eq 1 ]]; then
    mapfile -t COMPREPLY < <(compgen -W 'run plan plugins schema catalog state --help --version' -- "$cur")
    return
  fi
  case $prev in
    --progress | --isolate) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$cur"); return ;;
    --validate) mapfile -t COMPREPLY < <(compgen -W 'default full' -- "$cur"); return ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'trace debug info warn error off' -- "$cur"); return ;;
    --log-format | --format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur"); return ;;
    --plugin-dir | --rejects) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
    --for) mapfile -t COMPREPLY < <(compgen -W 'athena glue duckdb spark clickhouse iceberg' -- "$cur"); return ;;
    --only) mapfile -t COMPREPLY < <(compgen -W 'read partly_read set_aside unrecognised empty failed' -- "$cur"); return ;;
    --stats | --config | --state | --objects-from | --out) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    --to) compopt -o nospace; mapfile -t COMPREPLY < <(compgen -W 'parquet: ndjson:' -- "$cur"); return ;;
    --plugin | show)
      # The first word of the lines that are not indented and not a title.
      mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" plugins 2>/dev/null | awk '/^[a-z0-9_.]+  /{print $1}')" -- "$cur")
      return ;;
    --since | --until | --threads | --memory | --checkpoint | --shard | --max-decoded | --max-ratio | --max-record | --isolate-memory | --isolate-time | --account | --region | --requests | \
      --s3-endpoint | --s3-region | --az-endpoint | --s3-sse-kms-key-id | --location | --database) return ;;
    --s3-sse) mapfile -t COMPREPLY < <(compgen -W 'AES256 aws:kms aws:kms:dsse' -- "$cur"); return ;;
    --s3-profile)
      # The sections of the files where profiles are.
      mapfile -t COMPREPLY < <(compgen -W "$(sed -n 's/^\[\(profile \)\{0,1\}\([A-Za-z0-9_.-]*\)\].*/\2/p' ~/.aws/config ~/.aws/credentials 2>/dev/null)" -- "$cur")
      return ;;
  esac
  case $command in
    run | plan)
      [[ $command == run ]] || run="--format $inputs $common"
      if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$run" -- "$cur")
      else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      fi ;;
    catalog)
      if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--for --location --database --out $common" -- "$cur")
      else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
      fi ;;
    plugins) mapfile -t COMPREPLY < <(compgen -W "show $common" -- "$cur") ;;
    state)
      if [[ $COMP_CWORD -eq 2 ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'show objects retry forget merge --help' -- "$cur")
      elif [[ $cur == -* ]]; then
        local own=''
        case ${COMP_WORDS[2]} in
          show) own='--format' ;;
          objects) own='--format --only' ;;
          retry | forget | merge) own="$stores $encryption" ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$own $common" -- "$cur")
      else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      fi ;;
    schema)
      if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--format --install-templates $common" -- "$cur")
      else
        mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" schema 2>/dev/null | awk '/^[a-z0-9_]+ \(class /{print $1}')" -- "$cur")
      fi ;;
  esac
}
complete -F _logmill logmill
