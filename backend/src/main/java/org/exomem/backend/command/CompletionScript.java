package org.exomem.backend.command;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.exomem.cli.options.Argument;
import org.exomem.cli.options.CommandLine;
import org.exomem.cli.options.Completion;

/**
 * A script for bash and zsh that completes commands and options, of which it has a table, paths, the names of VMs and
 * devices, for which it asks the process that serves: at most once in some seconds, because that starts a JVM; and the ids of
 * requirements, for which it asks the program once.
 */
final class CompletionScript {
    private static final String BEFORE_TABLE = """
        # Completes command lines of exomem in bash and zsh; made by "exomem completion".
        # Source it, or put it where your shell looks for completions.

        if [ -n "${ZSH_VERSION:-}" ]; then
          autoload -U +X compinit && compinit
          autoload -U +X bashcompinit && bashcompinit
        fi

        # What a command takes: its options, those with a value, each with what completes it,
        # and what completes its arguments, in their order.
        _exomem_usage() {
          opts= vals= args=
          case $1 in
        """;

    private static final String BEHIND_TABLE = """
          esac
        }

        # Has the lines "VM" or "VM DEVICE" of the process that serves in _exomem_lines; asks it at most every 5 s.
        _exomem_ask() {
          local table=$1 control=$2 key="$1 $2"
          if [ "${_exomem_key-}" != "$key" ] || [ $((SECONDS - ${_exomem_asked:-0})) -ge 5 ]; then
            _exomem_key=$key _exomem_asked=$SECONDS
            _exomem_lines=$(EXOMEM_NO_BUILD=1 "${COMP_WORDS[0]}" vms $table ${control:+--control "$control"} \\
              2>/dev/null | awk 'NR > 1 { print $1, $2 }')
          fi
        }

        # Prints what completes a value of that kind.
        _exomem_values() {
          case $1 in
            VM) printf '%s\\n' "$_exomem_lines" | cut -d' ' -f1 ;;
            DEVICE) printf '%s\\n' "$_exomem_lines" | awk -v vm="$vm" '$1 == vm { print $2 }' ;;
            REQUIREMENT) printf '%s\\n' "$_exomem_ids" ;;
            FILE) compgen -f -- "$current" ;;
            NOTHING) ;;
            *) printf '%s\\n' "${1//|/ }" | tr ' ' '\\n' ;;
          esac
        }

        _exomem() {
          local IFS=$' \\t\\n' current=${COMP_WORDS[COMP_CWORD]} typed=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
          local opts vals args command=${typed[0]-} control= vm= kind= place=0 word value taken
          COMPREPLY=()
          # Bash takes "--control=X" for three words.
          if [ "$current" = "=" ]; then current=; fi
          if [ "$command" = pki ]; then command="pki ${typed[1]-}" typed=("${typed[@]:1}"); fi
          _exomem_usage "$command"
          set -- "${typed[@]:1}"
          while [ $# -gt 0 ]; do
            word=$1; shift
            case $word in
              -*)
                taken=
                for value in $vals; do
                  if [ "${value%%:*}" = "$word" ]; then taken=${value#*:}; fi
                done
                if [ -n "$taken" ]; then
                  if [ "${1-}" = "=" ]; then shift; fi
                  if [ $# -eq 0 ]; then kind=$taken; fi
                  if [ "$word" = --control ]; then control=${1-}; fi
                  if [ $# -gt 0 ]; then shift; fi
                fi ;;
              *)
                if [ $place -eq 0 ]; then vm=$word; fi
                place=$((place + 1)) ;;
            esac
          done
          if [ -z "$kind" ] && [ "${current:0:1}" = - ]; then
            COMPREPLY=($(compgen -W "$opts --help --version" -- "$current"))
            return
          fi
          if [ -z "$kind" ]; then
            set -- $args
            if [ $# -gt $place ]; then shift $place; kind=$1; fi
          fi
          # A control socket behind the cursor counts as well.
          for ((word = COMP_CWORD + 1; word < ${#COMP_WORDS[@]}; word++)); do
            if [ "${COMP_WORDS[word]}" = --control ]; then control=${COMP_WORDS[word + 1]-}; fi
          done
          case $kind in
            VM) _exomem_ask "" "$control" ;;
            DEVICE) _exomem_ask --memory "$control" ;;
            REQUIREMENT)
              # They stay the same as long as the program does.
              if [ -z "${_exomem_ids-}" ]; then
                _exomem_ids=$(EXOMEM_NO_BUILD=1 "${COMP_WORDS[0]}" spec --all 2>/dev/null | awk 'NR > 1 { print $1 }')
              fi ;;
          esac
          if [ -n "$kind" ]; then
            IFS=$'\\n'
            COMPREPLY=($(compgen -W "$(_exomem_values "$kind")" -- "$current"))
            if [ "$kind" = FILE ]; then compopt -o filenames 2>/dev/null; fi
          fi
        }

        complete -F _exomem exomem
        """;

    private CompletionScript() {}

    static String of(Map<String, CommandLine> commands) {
        StringBuilder script = new StringBuilder(BEFORE_TABLE);
        commands.forEach((name, command) -> entry(script, name, command));
        // The second word of a command that has two.
        List<String> pairs =
                commands.keySet().stream().filter(name -> name.contains(" ")).toList();
        first(pairs.stream()).distinct().forEach(group -> {
            String seconds = words(pairs.stream()
                    .filter(name -> name.startsWith(group + " "))
                    .map(name -> name.substring(group.length() + 1)));
            entry(script, "'" + group + " '", "", "", seconds);
        });
        entry(script, "*", "", "", words(first(commands.keySet().stream()).distinct()));
        return script.append(BEHIND_TABLE).toString();
    }

    private static Stream<String> first(Stream<String> names) {
        return names.map(name -> name.split(" ", 2)[0]);
    }

    private static void entry(StringBuilder script, String name, CommandLine command) {
        entry(
                script,
                "'" + name + "'",
                command.options().stream().map(Argument.Option::name).collect(Collectors.joining(" ")),
                command.options().stream()
                        .filter(option -> option.label() != null)
                        .map(option -> option.name() + ":" + kind(option.completion()))
                        .collect(Collectors.joining(" ")),
                command.parameters().stream()
                        .map(parameter -> kind(parameter.completion()))
                        .collect(Collectors.joining(" ")));
    }

    private static void entry(StringBuilder script, String name, String options, String values, String arguments) {
        script.append("    ")
                .append(name)
                .append(")\n      opts='")
                .append(options)
                .append("'\n      vals='")
                .append(values)
                .append("'\n      args='")
                .append(arguments)
                .append("' ;;\n");
    }

    private static String kind(Completion completion) {
        return switch (completion) {
            case Completion.Nothing _ -> "NOTHING";
            case Completion.File _ -> "FILE";
            case Completion.Vm _ -> "VM";
            case Completion.Device _ -> "DEVICE";
            case Completion.Requirement _ -> "REQUIREMENT";
            case Completion.Words words -> words(words.words().stream());
        };
    }

    private static String words(Stream<String> words) {
        return words.collect(Collectors.joining("|"));
    }
}
