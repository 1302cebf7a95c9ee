package org.exomem.benchmarks;

/** What a JVM does that does nothing. */
final class HelloWorld {
    private HelloWorld() {}

    public static void main(String[] arguments) {
        System.out.println("hello");
    }
}
