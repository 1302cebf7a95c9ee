package org.exomem.backend.migrate;

/** The log texts for the beginning and the end of a task, by direction. */
final class Outcome {
    private Outcome() {}

    static String begins(Direction direction) {
        return switch (direction) {
            case INCOMING -> "waiting for the guest at";
            case OUTGOING -> "is migrating to";
            case SAVE -> "is being saved into";
            case UPDATE -> "is moving to the VMM on";
        };
    }

    static String done(Direction direction, String peer) {
        return switch (direction) {
            case INCOMING -> "runs here now";
            case OUTGOING -> "runs at " + peer + " now";
            case SAVE -> "was saved into " + peer;
            case UPDATE -> "runs in another VMM now";
        };
    }

    static String failed(Direction direction, String peer) {
        return switch (direction) {
            case INCOMING -> "the migration from " + peer + " did not complete";
            case OUTGOING -> "the migration to " + peer + " did not complete";
            case SAVE -> "it was not saved into " + peer;
            case UPDATE -> "it did not move to the VMM on " + peer;
        };
    }
}
