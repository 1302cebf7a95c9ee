package org.exomem.backend.command;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.exomem.cli.options.Argument;
import org.exomem.cli.options.CommandLine;
import org.exomem.cli.options.Completion;

/**
 * A completion script for Bash, zsh and fish. It has a table of commands and options, and completes these, paths, addresses,
 * the ids of requirements, and the names of VMs and devices. The names are in a file beside the control socket ({@code
 * NamesFile}), so that a completion needs no start of a JVM. The script is in Bash. zsh understands it, and fish runs Bash,
 * which exomem needs anyway.
 */
final class CompletionScript {
    private static final String HEAD = """
        #compdef exomem
        # Completes command lines of exomem; made by "exomem completion".
        """;

    private static final String BEFORE_TABLE = """
        if [ -n "${ZSH_VERSION:-}" ]; then
          autoload -U +X compinit && compinit -u
          autoload -U +X bashcompinit && bashcompinit
        fi

        # Sets, for a command: opts, its options; vals, its options with a value, each with its kind of completion;
        # and args, the kinds of completion of its arguments, in order.
        _exomem_usage() {
          opts= vals= args=
          case $1 in
        """;

    private static final String BEHIND_TABLE = """
          esac
        }

        # Prints the lines "VM DEVICE" of the process that serves on a control socket: its own names for completion.
        _exomem_names() {
          local control=$1 file line
          if [ -z "$control" ]; then
            if [ -n "${XDG_RUNTIME_DIR:-}" ]; then control=$XDG_RUNTIME_DIR/exomem.sock
            elif [ "${UID:-1}" = 0 ]; then control=/run/exomem.sock
            else control=/tmp/exomem-$UID/exomem.sock
            fi
          fi
          for file in "$control.names" "/run/exomem/${control##*/}.names"; do
            if [ -r "$file" ]; then
              while read -r line; do printf '%s\\n' "$line"; done <"$file"
              return
            fi
          done
        }

        # Prints the completions of a value of the kind $1.
        _exomem_values() {
          local name device before=
          case $1 in
            VM)
              _exomem_names "$control" | while IFS=' ' read -r name device; do
                if [ "$name" != "$before" ]; then printf '%s\\n' "$name"; fi
                before=$name
              done ;;
            DEVICE)
              _exomem_names "$control" | while IFS=' ' read -r name device; do
                if [ "$name" = "$vm" ] && [ "$device" != balloon ]; then printf '%s\\n' "$device"; fi
              done ;;
            ADDRESS) printf 'unix:\\n'; compgen -A hostname -- "$current" ;;
            REQUIREMENT) printf '%s\\n' "$_exomem_ids" | tr ' ' '\\n' ;;
            FILE) compgen -f -- "$current" ;;
            NOTHING) ;;
            *) printf '%s\\n' "${1//|/ }" | tr ' ' '\\n' ;;
          esac
        }

        _exomem_complete() {
          local IFS=$' \\t\\n' current=${COMP_WORDS[COMP_CWORD]} typed=("${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}")
          local opts vals args command=${typed[0]-} control= vm= kind= place=0 word value taken
          COMPREPLY=()
          # Bash takes "--control=X" for three words, and "unix:PATH" too.
          if [ "$current" = "=" ]; then current=; fi
          if [ "$current" = ":" ] || [ "${COMP_WORDS[COMP_CWORD-1]-}" = ":" ]; then
            current=${current#:} kind=FILE
          fi
          case $command in
        @PAIRS@)
              command="$command ${typed[1]-}" typed=("${typed[@]:1}") ;;
          esac
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
          if [ -n "$kind" ]; then
            # Not compgen -W: that would run what stands in $() in the name of a file.
            while IFS= read -r word; do
              if [ "${word:0:${#current}}" = "$current" ]; then COMPREPLY+=("$word"); fi
            done < <(_exomem_values "$kind")
            if [ "$kind" = FILE ]; then compopt -o filenames 2>/dev/null; fi
            if [ "${COMPREPLY[0]-}" = unix: ]; then compopt -o nospace 2>/dev/null; fi
          fi
        }
        """;

    private static final String REGISTER = """

        complete -F _exomem_complete exomem
        # Where zsh loads this file as the function that completes.
        if [ -n "${ZSH_VERSION:-}" ] && [ "${funcstack[1]:-}" = _exomem ]; then _bash_complete -F _exomem_complete; fi
        """;

    /** Bash splits words at = and :, and fish does not. */
    private static final String FISH = """

        function __exomem_complete
            set -l words (commandline -opc) (commandline -ct)
            bash -c "$__exomem_script"'
                all=()
                for word in "$@"; do
                    if [[ $word == --*=* ]]; then all+=("${word%%=*}" = "${word#*=}"); else all+=("$word"); fi
                done
                COMP_WORDS=("${all[@]}") COMP_CWORD=$((${#all[@]} - 1)) before=
                if [[ ${!#} == --*=* ]]; then before=${!#}; before=${before%%=*}=; fi
                _exomem_complete 2>/dev/null
                for word in "${COMPREPLY[@]}"; do printf "%s\\n" "$before$word"; done' exomem $words
        end
        complete -c exomem -f -a '(__exomem_complete)'
        """;

    private CompletionScript() {}

    /** @param ids of all requirements */
    static String of(CompletionCommand.Shell shell, Map<String, CommandLine> commands, List<String> ids) {
        String script = script(commands, ids);
        return switch (shell) {
            case BASH, ZSH -> HEAD + script + REGISTER;
            case FISH ->
                HEAD + "set -g __exomem_script '" + script.replace("\\", "\\\\").replace("'", "\\'") + "'\n" + FISH;
        };
    }

    private static String script(Map<String, CommandLine> commands, List<String> ids) {
        StringBuilder script = new StringBuilder();
        script.append("_exomem_ids='").append(String.join(" ", ids)).append("'\n\n");
        script.append(BEFORE_TABLE);
        commands.forEach((name, command) -> entry(script, name, command));
        // The second words of commands with two words.
        List<String> pairs =
                commands.keySet().stream().filter(name -> name.contains(" ")).toList();
        List<String> groups = first(pairs.stream()).distinct().toList();
        groups.forEach(group -> {
            String seconds = words(pairs.stream()
                    .filter(name -> name.startsWith(group + " "))
                    .map(name -> name.substring(group.length() + 1)));
            entry(script, "'" + group + " '", "", "", seconds);
        });
        entry(script, "*", "", "", words(first(commands.keySet().stream()).distinct()));
        return script.append(BEHIND_TABLE.replace("@PAIRS@", "    " + String.join("|", groups)))
                .toString();
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
            case Completion.Address _ -> "ADDRESS";
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
