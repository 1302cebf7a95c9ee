package org.exomem.cli.options;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Prints to a descriptor of the process, in UTF-8, and knows why something could not be written: a PrintWriter forgets it. */
final class DescriptorWriter extends PrintWriter {
    private final Remembering stream;

    private DescriptorWriter(Remembering stream, boolean flushesLines) {
        super(new OutputStreamWriter(stream, StandardCharsets.UTF_8), flushesLines);
        this.stream = stream;
    }

    static DescriptorWriter to(FileDescriptor descriptor, boolean flushesLines) {
        return to(new FileOutputStream(descriptor), flushesLines);
    }

    static DescriptorWriter to(OutputStream stream, boolean flushesLines) {
        return new DescriptorWriter(new Remembering(stream), flushesLines);
    }

    /** Why the first thing that is lost could not be written, in the system's words; empty if nothing is lost. */
    Optional<String> failure() {
        return Optional.ofNullable(stream.failure);
    }

    private static final class Remembering extends OutputStream {
        private final OutputStream stream;
        private volatile @Nullable String failure;

        Remembering(OutputStream stream) {
            this.stream = stream;
        }

        @Override
        public void write(int each) throws IOException {
            write(new byte[] {(byte) each}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            try {
                stream.write(bytes, offset, length);
            } catch (IOException e) {
                throw remembered(e);
            }
        }

        @Override
        public void flush() throws IOException {
            try {
                stream.flush();
            } catch (IOException e) {
                throw remembered(e);
            }
        }

        private IOException remembered(IOException e) {
            if (failure == null) {
                failure = String.valueOf(e.getMessage());
            }
            return e;
        }

        @Override
        public void close() throws IOException {
            stream.close();
        }
    }
}
