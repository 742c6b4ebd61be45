# Completion of oslo-msg for bash. The program itself knows its commands and options.
_oslo_msg() {
  local word=${COMP_WORDS[COMP_CWORD]} command='' i
  local program=${COMP_WORDS[0]}
  local commands
  commands=$("$program" --help 2>/dev/null |
    sed -n '/^Subcommands:/,/^$/s/^  \([a-z][a-z-]*\).*/\1/p')
  for ((i = 1; i < COMP_CWORD; ++i)); do
    if [[ " ${commands//$'\n'/ } " == *" ${COMP_WORDS[i]} "* ]]; then
      command=${COMP_WORDS[i]}
      break
    fi
  done
  local options
  options=$("$program" ${command:+"$command"} --help 2>/dev/null |
    grep -o -- '^ *\(-[a-z],\)\?--[a-z][a-z-]*' | grep -o -- '--[a-z-]*')
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  elif [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
complete -F _oslo_msg oslo-msg
