import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.ConstantPool;
import java.lang.classfile.constantpool.InvokeDynamicEntry;
import java.lang.classfile.constantpool.MemberRefEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * Completes the list of classes for an AOT cache: behind the names come, for each class, the numbers of all its constants that the JVM may
 * resolve beforehand. A training run would tell only those that it has used, and each run others, as its threads run.
 *
 * Lambdas take much room in a cache; those of exomem itself are made beforehand, those of libraries when they are used.
 *
 * <pre>java ClassList.java NAMES JAR RUNTIME</pre>
 *
 * Prints the list. Names of classes that have gone are left out.
 */
final class ClassList {
    private ClassList() {}

    public static void main(String[] arguments) throws IOException {
        List<String> names = Files.readAllLines(Path.of(arguments[0])).stream()
                .filter(line -> !line.isBlank() && !line.startsWith("#"))
                .toList();
        try (FileSystem jar = FileSystems.newFileSystem(Path.of(arguments[1]));
                FileSystem runtime = FileSystems.newFileSystem(URI.create("jrt:/"), Map.of("java.home", arguments[2]))) {
            List<Path> places = places(jar, runtime);
            StringBuilder constants = new StringBuilder();
            StringBuilder list = new StringBuilder();
            for (String name : names) {
                if (name.startsWith("@")) {
                    constants.append(name).append('\n');
                    continue;
                }
                Optional<Path> file = places.stream()
                        .map(place -> place.resolve(name + ".class"))
                        .filter(Files::exists)
                        .findFirst();
                if (file.isPresent()) {
                    list.append(name).append('\n');
                    String numbers = resolvable(file.get(), name.startsWith("org/exomem/"));
                    if (!numbers.isEmpty()) {
                        constants.append("@cp ").append(name).append(' ').append(numbers).append('\n');
                    }
                } else if (!name.startsWith("[") && !name.contains("$$")) {
                    System.err.println("is not there any more: " + name);
                }
            }
            System.out.print(list.append(constants));
        }
    }

    private static List<Path> places(FileSystem jar, FileSystem runtime) throws IOException {
        try (Stream<Path> modules = Files.list(runtime.getPath("/modules"))) {
            return Stream.concat(Stream.of(jar.getPath("/")), modules.sorted()).toList();
        }
    }

    private static String resolvable(Path file, boolean lambdas) throws IOException {
        ConstantPool pool = ClassFile.of().parse(file).constantPool();
        return StreamSupport.stream(pool.spliterator(), false)
                .filter(entry -> isResolvable(entry, lambdas))
                .map(entry -> String.valueOf(entry.index()))
                .collect(Collectors.joining(" "));
    }

    private static boolean isResolvable(PoolEntry entry, boolean lambdas) {
        return entry instanceof ClassEntry
                || entry instanceof MemberRefEntry
                || lambdas && entry instanceof InvokeDynamicEntry;
    }
}
