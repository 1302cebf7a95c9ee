package org.exomem.migration;

/** The migration was cancelled; the guest runs on at the source. */
public final class MigrationCancelledException extends MigrationFailure {
    private static final long serialVersionUID = 1L;

    public MigrationCancelledException() {
        super("the migration was cancelled at the source", null);
    }

    @Override
    public boolean isFinal() {
        return true;
    }

    @Override
    public MigrationCancelledException again() {
        return new MigrationCancelledException();
    }
}
