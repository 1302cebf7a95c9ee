package org.exomem.linux;

import com.sun.jna.Function;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.io.IOException;

/** Functions of the C library that only tests need. */
public enum C {
    CALL("syscall"),
    CLOSE("close"),
    EXEC("execl"),
    FORK("fork"),
    MOUNT("mount"),
    OPEN("open"),
    PAUSE("pause"),
    PRCTL("prctl"),
    PREAD("pread"),
    READ("read"),
    UNMOUNT("umount2"),
    USER("getuid"),
    WRITE("write");

    private final Function function;

    C(String name) {
        this.function = Function.getFunction("c", name);
    }

    /** @throws IOException if it returns a negative number */
    public long of(Object... arguments) throws IOException {
        long result = function.invokeLong(arguments);
        if (result < 0) {
            throw new IOException(function.getName() + ": errno " + Native.getLastError());
        }
        return result;
    }

    public static Pointer address(long address) {
        return new Pointer(address);
    }
}
