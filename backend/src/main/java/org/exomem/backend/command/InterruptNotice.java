package org.exomem.backend.command;

/**
 * Says at Ctrl-C what goes on without the command that was waiting for it, and how to end it. The JVM then ends with 130, as
 * is usual.
 */
final class InterruptNotice extends Thread implements AutoCloseable {
    private final Output output;
    private final String text;

    private InterruptNotice(Output output, String text) {
        super("interrupt-notice");
        this.output = output;
        this.text = text;
    }

    /** @param text what goes on, and how to end it */
    static InterruptNotice of(Output output, String text) {
        InterruptNotice notice = new InterruptNotice(output, text);
        Runtime.getRuntime().addShutdownHook(notice);
        return notice;
    }

    /** The command ends in another way. */
    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(this);
        } catch (IllegalStateException e) {
            // The signal came first: the hook is running.
        }
    }

    @Override
    public void run() {
        output.note(text);
    }
}
