package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.concurrent.CompletableFuture;
import org.exomem.backend.qmp.QmpException;

/**
 * A command of the control socket, with everything that its execution, {@code query-commands} and {@code query-qmp-schema}
 * need.
 *
 * @param arguments the types of its arguments
 * @param result the type of its result
 * @param action executes it on the control socket's thread; it must not read files, resolve names or wait: {@link SlowWork}
 *     is for that
 */
record Command(String name, Type.Structure arguments, Type result, Action action) {
    /** The result of most commands. */
    static final Type.Structure NOTHING = Type.object();

    /** Executes a command. */
    @FunctionalInterface
    interface Action {
        /** Returns the answer. The future, or the call itself, fails if the command is refused. */
        CompletableFuture<JsonNode> run(Arguments arguments, Client client);
    }

    /** Executes a command that does not need the client's connection. */
    @FunctionalInterface
    interface SimpleAction {
        /** Returns the answer. The future, or the call itself, fails if the command is refused. */
        CompletableFuture<JsonNode> run(Arguments arguments);
    }

    /** The connection of the client that sent a command. On the control socket's thread. */
    interface Client {
        /** The client's subscriptions to VMs' pages. */
        PageFollower follower();

        /** Ends the process when the answer was sent. */
        void quitAfterAnswer();
    }

    static Command of(String name, Type.Structure arguments, Type result, SimpleAction action) {
        return new Command(name, arguments, result, (given, client) -> action.run(given));
    }

    /**
     * Checks the arguments and executes the command.
     *
     * @throws QmpException if the arguments have wrong types
     */
    CompletableFuture<JsonNode> run(ObjectNode given, Client client) {
        arguments.checkArguments(given);
        return action.run(new Arguments(given), client);
    }
}
