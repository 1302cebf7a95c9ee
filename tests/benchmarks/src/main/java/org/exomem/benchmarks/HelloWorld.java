package org.exomem.benchmarks;

/** A JVM that does nothing but print a line. */
final class HelloWorld {
    private HelloWorld() {}

    public static void main(String[] arguments) {
        System.out.println("hello");
    }
}
