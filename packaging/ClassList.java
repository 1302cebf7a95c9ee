import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.ConstantPool;
import java.lang.classfile.constantpool.InvokeDynamicEntry;
import java.lang.classfile.constantpool.LoadableConstantEntry;
import java.lang.classfile.constantpool.MemberRefEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.constant.ConstantDesc;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * The list of classes for an AOT cache.
 *
 * <pre>java ClassList.java names TRAINING JAR RUNTIME</pre>
 *
 * makes the list that is kept with the sources of one that a JVM has written in a training run ({@code -XX:DumpLoadedClassList}): the names of
 * classes, the shapes of method handles ({@code @lambda-form-invoker}), and the call sites whose lambdas and joined texts were made ({@code
 * @site}, with the name of the method and a number for the rest, which stays the same as long as the site does).
 *
 * <pre>java ClassList.java complete NAMES JAR RUNTIME</pre>
 *
 * completes such a list for the JVM. Behind the names come, for each class, the numbers of all its constants that the JVM may resolve
 * beforehand: a training run would tell only those that it has used, and each run others, as its threads run. Of call sites only those count
 * that were listed: a lambda is a class, and takes room and time in each start. Names of classes that have gone are left out.
 */
final class ClassList {
    private static final String SITE = "@site ";
    private static final String CONSTANTS = "@cp ";
    private static final String SHAPE = "@lambda-form-invoker ";

    private final List<Path> places;

    private ClassList(List<Path> places) {
        this.places = places;
    }

    public static void main(String[] arguments) throws IOException {
        List<String> lines = Files.readAllLines(Path.of(arguments[1])).stream()
                .filter(line -> !line.isBlank() && !line.startsWith("#"))
                .toList();
        try (FileSystem jar = FileSystems.newFileSystem(Path.of(arguments[2]));
                FileSystem runtime =
                        FileSystems.newFileSystem(URI.create("jrt:/"), Map.of("java.home", arguments[3]));
                Stream<Path> modules = Files.list(runtime.getPath("/modules"))) {
            ClassList list = new ClassList(Stream.concat(Stream.of(jar.getPath("/")), modules.sorted()).toList());
            List<String> result =
                    switch (arguments[0]) {
                        case "names" -> list.names(lines);
                        case "complete" -> list.complete(lines);
                        default -> throw new IllegalArgumentException(arguments[0]);
                    };
            result.forEach(System.out::println);
        }
    }

    private List<String> names(List<String> training) throws IOException {
        Set<String> names = new TreeSet<>();
        Set<String> shapes = new TreeSet<>();
        Set<String> sites = new TreeSet<>();
        for (String line : training) {
            if (line.startsWith(CONSTANTS)) {
                List<String> words = List.of(line.split(" "));
                Set<String> numbers = Set.copyOf(words.subList(2, words.size()));
                for (InvokeDynamicEntry site : sites(words.get(1))) {
                    if (numbers.contains(Integer.toString(site.index()))) {
                        sites.add(SITE + words.get(1) + " " + key(site));
                    }
                }
            } else if (line.startsWith(SHAPE)) {
                shapes.add(line);
            } else if (!line.startsWith("@") && !line.contains("source:")) {
                String name = line.replaceFirst(" id:.*", "");
                // One that no file has was made by the JVM, for a method handle.
                if (pool(name).isPresent()) {
                    names.add(name);
                }
            }
        }
        return Stream.of(names, sites, shapes).flatMap(Set::stream).toList();
    }

    private List<String> complete(List<String> names) throws IOException {
        Set<String> sites = new HashSet<>();
        List<String> list = new ArrayList<>();
        List<String> behind = new ArrayList<>();
        for (String line : names) {
            if (line.startsWith(SITE)) {
                sites.add(line);
            } else if (line.startsWith("@")) {
                behind.add(line);
            }
        }
        for (String name : names) {
            if (name.startsWith("@")) {
                continue;
            }
            Optional<ConstantPool> pool = pool(name);
            if (pool.isPresent()) {
                list.add(name);
                String numbers = resolvable(pool.get(), site -> sites.contains(SITE + name + " " + key(site)));
                if (!numbers.isEmpty()) {
                    behind.add(CONSTANTS + name + " " + numbers);
                }
            } else {
                System.err.println("is not there any more: " + name);
            }
        }
        list.addAll(behind);
        return list;
    }

    private Optional<ConstantPool> pool(String name) throws IOException {
        for (Path place : places) {
            Path file = place.resolve(name + ".class");
            if (Files.exists(file)) {
                return Optional.of(ClassFile.of().parse(file).constantPool());
            }
        }
        return Optional.empty();
    }

    private List<InvokeDynamicEntry> sites(String name) throws IOException {
        return pool(name).stream()
                .flatMap(pool -> StreamSupport.stream(pool.spliterator(), false))
                .filter(InvokeDynamicEntry.class::isInstance)
                .map(InvokeDynamicEntry.class::cast)
                .toList();
    }

    private static String key(InvokeDynamicEntry site) {
        List<ConstantDesc> arguments = site.bootstrap().arguments().stream()
                .map(LoadableConstantEntry::constantValue)
                .toList();
        String rest = site.type().stringValue() + arguments;
        return site.name().stringValue() + " " + Integer.toHexString(rest.hashCode());
    }

    private static String resolvable(ConstantPool pool, Predicate<InvokeDynamicEntry> made) {
        return StreamSupport.stream(pool.spliterator(), false)
                .filter(entry -> isResolvable(entry, made))
                .map(entry -> String.valueOf(entry.index()))
                .collect(Collectors.joining(" "));
    }

    private static boolean isResolvable(PoolEntry entry, Predicate<InvokeDynamicEntry> made) {
        return entry instanceof ClassEntry
                || entry instanceof MemberRefEntry
                || entry instanceof InvokeDynamicEntry site && made.test(site);
    }
}
