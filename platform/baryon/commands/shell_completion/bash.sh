# Completes words of `baryon` in bash; to have it in every shell, add to ~/.bashrc:
#   source <(baryon completion bash)
_baryon() {
  # Readline cuts words at = and :, which Baryon does not: it is given the line as it stands.
  local line="${COMP_LINE:0:COMP_POINT}" candidates=() word whole prefix
  mapfile -t candidates < <("$1" completion words "$line" 2>/dev/null)
  whole="${line##*[[:space:]]}"
  prefix="${whole%"${whole##*[=:]}"}"
  COMPREPLY=()
  for word in "${candidates[@]}"; do
    word="${word#"$prefix"}"
    case "$word" in
      *[=./]) ;;
      *) word="$word " ;;
    esac
    COMPREPLY+=("$word")
  done
}
complete -o nospace -o default -F _baryon baryon
