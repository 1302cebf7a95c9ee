package org.exomem.linux.process;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A stopped thread's registers on x86-64: {@code struct user_regs_struct}, 27 words of 8 bytes.
 *
 * <pre>
 *   0 r15  r14  r13  r12  rbp  rbx  r11  r10
 *  64 r9   r8   rax  rcx  rdx  rsi  rdi  orig_rax
 * 128 rip  cs   eflags rsp ss  fs_base gs_base
 * 184 ds   es   fs   gs
 * </pre>
 */
final class Registers {
    static final int SIZE = 27 * Long.BYTES;

    private static final int R10 = 56;
    private static final int R9 = 64;
    private static final int R8 = 72;
    private static final int RAX = 80;
    private static final int RDX = 96;
    private static final int RSI = 104;
    private static final int RDI = 112;
    /** The registers for the arguments of a system call. */
    private static final int[] ARGUMENTS = {RDI, RSI, RDX, R10, R8, R9};

    private static final int ORIG_RAX = 120;
    private static final int RIP = 128;
    /** In {@code orig_rax}: the thread is in no system call that the kernel might restart. */
    private static final long NO_CALL = -1;

    private final MemorySegment words = Arena.ofAuto().allocate(SIZE, Long.BYTES);

    /** The address of these bytes, which is constant for the life of this object. */
    long address() {
        return words.address();
    }

    /** The address at which the thread goes on. */
    long instruction() {
        return words.get(JAVA_LONG, RIP);
    }

    void goTo(long instruction) {
        words.set(JAVA_LONG, RIP, instruction);
    }

    /** The result of a system call: the negative of an error number if it failed. */
    long result() {
        return words.get(JAVA_LONG, RAX);
    }

    /**
     * Returns these registers, changed for a system call.
     *
     * @param arguments at most six; missing ones are 0
     */
    Registers forCall(long instruction, long number, long... arguments) {
        Registers call = new Registers();
        call.words.copyFrom(words);
        call.words.set(JAVA_LONG, RIP, instruction);
        call.words.set(JAVA_LONG, RAX, number);
        call.words.set(JAVA_LONG, ORIG_RAX, NO_CALL);
        for (int i = 0; i < ARGUMENTS.length; i++) {
            call.words.set(JAVA_LONG, ARGUMENTS[i], i < arguments.length ? arguments[i] : 0);
        }
        return call;
    }
}
