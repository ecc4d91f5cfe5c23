# Completes words of `baryon` in bash; to have it in every shell, add to ~/.bashrc:
#   source <(baryon completion bash)
_baryon() {
  # Readline cuts words at = and :, which Baryon does not: it is given the line as it stands.
  local line="${COMP_LINE:0:COMP_POINT}" found=() word whole kept
  mapfile -t found < <("$1" completion words "$line" 2>/dev/null)
  whole="${line##*[[:space:]]}"
  kept="${whole%"${whole##*[=:]}"}"
  COMPREPLY=()
  for word in "${found[@]}"; do
    word="${word#"$kept"}"
    case "$word" in
      *[=./]) ;;
      *) word="$word " ;;
    esac
    COMPREPLY+=("$word")
  done
}
complete -o nospace -o default -F _baryon baryon
