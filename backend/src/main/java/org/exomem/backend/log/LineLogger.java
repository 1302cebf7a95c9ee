package org.exomem.backend.log;

import org.jspecify.annotations.Nullable;
import org.slf4j.Marker;
import org.slf4j.event.Level;
import org.slf4j.helpers.LegacyAbstractLogger;
import org.slf4j.helpers.MessageFormatter;

/** A logger of SLF4J that writes to {@link Log}. */
final class LineLogger extends LegacyAbstractLogger {
    private static final long serialVersionUID = 1L;

    /** Of libraries only warnings and errors are useful. */
    private final Level least;

    LineLogger(String name) {
        this.name = name;
        this.least = name.startsWith("org.exomem.") ? Level.TRACE : Level.WARN;
    }

    private boolean isEnabled(Level level) {
        return level.toInt() >= least.toInt() && Log.isEnabled(level);
    }

    @Override
    public boolean isTraceEnabled() {
        return isEnabled(Level.TRACE);
    }

    @Override
    public boolean isDebugEnabled() {
        return isEnabled(Level.DEBUG);
    }

    @Override
    public boolean isInfoEnabled() {
        return isEnabled(Level.INFO);
    }

    @Override
    public boolean isWarnEnabled() {
        return isEnabled(Level.WARN);
    }

    @Override
    public boolean isErrorEnabled() {
        return isEnabled(Level.ERROR);
    }

    @Override
    protected @Nullable String getFullyQualifiedCallerName() {
        return null;
    }

    @Override
    protected void handleNormalizedLoggingCall(
            Level level,
            @Nullable Marker marker,
            String pattern,
            Object @Nullable [] arguments,
            @Nullable Throwable failure) {
        Log.write(level, MessageFormatter.basicArrayFormat(pattern, arguments), failure);
    }
}
