/** The scripts ask the program itself, so that they never go stale. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_settled() {
  local IFS=$'\\n'
  COMPREPLY=($(settled __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _settled settled
`,
  zsh: `#compdef settled
_settled() {
  local -a found
  found=("\${(@f)$(settled __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
compdef _settled settled
`,
  fish: `function __settled_complete
  set -l words (commandline -opc) (commandline -ct)
  settled __complete -- $words[2..-1] 2>/dev/null
end
complete -c settled -f -a '(__settled_complete)'
`,
  powershell: `Register-ArgumentCompleter -Native -CommandName settled -ScriptBlock {
  param($word, $ast, $position)
  $words = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
  if ($word -eq '') { $words += '""' }
  settled __complete -- @words 2>$null | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`,
};

export const SHELLS: readonly string[] = Object.keys(SCRIPTS);

/** The completion script of a shell; undefined for one that there is none for. */
export function completionScript(shell: string): string | undefined {
  return SCRIPTS[shell];
}
