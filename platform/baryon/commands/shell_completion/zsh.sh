#compdef baryon
# Completes words of `baryon` in zsh; to have it in every shell, add to ~/.zshrc, after compinit:
#   source <(baryon completion zsh)
_baryon() {
  local -a candidates finished open
  candidates=("${(@f)$("${words[1]}" completion words "${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)}")
  finished=(${candidates:#*[=.\/]})
  open=(${(M)candidates:#*[=.\/]})
  compadd -Q -S ' ' -- $finished
  compadd -Q -S '' -- $open
  if (( $#finished + $#open == 0 )); then
    compset -P '*='
    _files
  fi
}
compdef _baryon baryon
