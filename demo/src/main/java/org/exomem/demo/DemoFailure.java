package org.exomem.demo;

import java.io.IOException;

/** A step of the demo failed. */
public final class DemoFailure extends IOException {
    private static final long serialVersionUID = 1L;

    DemoFailure(String message) {
        super(message);
    }

    DemoFailure(String message, Exception cause) {
        super(message, cause);
    }
}
