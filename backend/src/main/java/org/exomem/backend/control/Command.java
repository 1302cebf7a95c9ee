package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.concurrent.CompletableFuture;
import org.exomem.backend.qmp.QmpException;

/**
 * A command of the control socket: all that is known of it, for who runs it and for {@code query-commands} and {@code
 * query-qmp-schema}.
 *
 * @param arguments what it takes
 * @param result what it returns
 * @param action does it. Runs on the control socket's thread, and must not read files, resolve names or wait: what does goes
 *     to {@link SlowWork}.
 */
record Command(String name, Type.Structure arguments, Type result, Action action) {
    /** What most commands return. */
    static final Type.Structure NOTHING = Type.object();

    /** What a command does. */
    @FunctionalInterface
    interface Action {
        /** The answer. The future, like the call itself, fails where the command is refused. */
        CompletableFuture<JsonNode> run(Arguments arguments, Client client);
    }

    /** What a command does that has no use for the client's connection. */
    @FunctionalInterface
    interface SimpleAction {
        /** The answer. The future, like the call itself, fails where the command is refused. */
        CompletableFuture<JsonNode> run(Arguments arguments);
    }

    /** The connection on which a command comes. On the control socket's thread. */
    interface Client {
        /** What it follows of VMs' pages. */
        PageFollower follower();

        /** Ends the process when the answer is on its way. */
        void quitAfterAnswer();
    }

    static Command of(String name, Type.Structure arguments, Type result, SimpleAction action) {
        return new Command(name, arguments, result, (given, client) -> action.run(given));
    }

    /** @throws QmpException if the arguments are not what it takes */
    CompletableFuture<JsonNode> run(ObjectNode given, Client client) {
        arguments.checkArguments(given);
        return action.run(new Arguments(given), client);
    }
}
