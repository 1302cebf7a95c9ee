import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.classfile.instruction.LineNumber;
import java.lang.classfile.instruction.LocalVariable;
import java.lang.classfile.instruction.LocalVariableType;
import java.lang.constant.ClassDesc;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * Merges many jars into the one jar of a package: for one version of Java, without native libraries, and reproducible (always the same bytes).
 *
 * <pre>java MergeJars.java MAIN-CLASS JAVA-VERSION SECONDS OUTPUT JAR...</pre>
 *
 * All entries get the time SECONDS since 1970. A file that is in two jars must have the same content. Lists of services are merged. Files that
 * describe the original jar are left out. Licences are kept, in {@code META-INF/licences/NAME-OF-JAR/}. Parts of libraries that are not referred
 * to are left out, and the tables of Picnic, an abandoned signature scheme (1 MB).
 */
final class MergeJars {
    private static final Pattern VERSIONED = Pattern.compile("META-INF/versions/(\\d+)/(.+)");
    private static final Pattern NATIVE = Pattern.compile(".*\\.(so|dll|dylib|jnilib|a)|.*\\.so\\.\\d+");
    /** Files that describe the original jar: its signatures, index, module and Maven's files. */
    private static final Pattern OF_THE_JAR = Pattern.compile("(META|OSGI)-INF/([^/]+\\.(SF|RSA|DSA|EC)|MANIFEST\\.MF|INDEX\\.LIST)"
            + "|META-INF/(maven|native-image|proguard)/.*|org/bouncycastle/pqc/legacy/picnic/.*\\.properties|(.*/)?module-info\\.class|META-INF/sbom/.*|META-INF/.*\\.(kotlin_module|versions\\.properties)");

    /** Parts of netty and BouncyCastle that exomem does not use, and that no other part refers to: 2 MB. */
    private static final Pattern UNUSED = Pattern.compile("io/netty/(handler/(codec/(compression|spdy|rtsp"
            + "|http/(multipart|cors|websocketx|HttpContent(Dec|C)ompressor[^/]*))|traffic)|channel/(pool|local|oio|socket/oio|group))(/.*|\\.class)?"
            + "|org/bouncycastle/(cms(?!/CMSException)|cmc|oer|its|est|tsp|dvcs|mime|voms|eac|pkix|kmip|mls|operator/bc|pkcs/(bc|(jcajce/Jc[ae])?PKCS12[^/]*|MacDataGenerator)"
            + "|openssl/jcajce/JcaPKIX[^/]*|cert/(crmf|cmp|ocsp|path|selector|dane|bc)"
            + "|asn1/(cmc|esf|dvcs|est|smime|icao|isismtt|ess))(/.*|\\.class)?");

    private static final Pattern LICENCE = Pattern.compile("(META-INF/)?(LICENSE|LICENCE|NOTICE|AL2\\.0|LGPL2\\.1|FastDoubleParser-)[^/]*");

    private static final ClassTransform WITHOUT_VARIABLES = ClassTransform.transformingMethodBodies((builder, element) -> {
        if (!(element instanceof LocalVariable || element instanceof LocalVariableType)) {
            builder.with(element);
        }
    });

    /** The runtime's own classes have no line numbers either. Those of the libraries would take 2 MB in the jar and the cache. */
    private static final ClassTransform WITHOUT_LINES = WITHOUT_VARIABLES.andThen(ClassTransform.transformingMethodBodies((builder, element) -> {
        if (!(element instanceof LineNumber)) {
            builder.with(element);
        }
    }));

    private final Map<String, byte[]> entries = new TreeMap<>();
    private final Map<String, String> origins = new TreeMap<>();
    private final int java;

    /** Knows the classes of all jars, and of the JDK that runs this. */
    private final ClassHierarchyResolver hierarchy;

    private MergeJars(int java, List<ZipFile> jars) {
        this.java = java;
        this.hierarchy = ClassHierarchyResolver.ofResourceParsing(type -> open(jars, type))
                .orElse(ClassHierarchyResolver.defaultResolver())
                .cached();
    }

    public static void main(String[] arguments) throws IOException {
        List<String> words = List.of(arguments);
        List<ZipFile> jars = new ArrayList<>();
        for (String jar : words.subList(4, words.size())) {
            jars.add(new ZipFile(jar));
        }
        MergeJars merged = new MergeJars(Integer.parseInt(words.get(1)), jars);
        for (ZipFile jar : jars) {
            merged.add(jar);
        }
        merged.expectWhole();
        String manifest = "Manifest-Version: 1.0\r\nMain-Class: " + words.get(0) + "\r\nEnable-Native-Access: ALL-UNNAMED\r\n\r\n";
        merged.write(
                manifest.getBytes(StandardCharsets.UTF_8),
                LocalDateTime.ofInstant(Instant.ofEpochSecond(Long.parseLong(words.get(2))), ZoneOffset.UTC),
                Path.of(words.get(3)));
    }

    private void add(ZipFile file) throws IOException {
        String name = Path.of(file.getName()).getFileName().toString().replaceFirst("\\.jar$", "");
        // Selects for each file the entry for the highest version that this Java supports.
        Map<String, ZipEntry> chosen = new TreeMap<>();
        Map<String, Integer> versions = new TreeMap<>();
        for (ZipEntry entry : file.stream().filter(each -> !each.isDirectory()).toList()) {
            Matcher versioned = VERSIONED.matcher(entry.getName());
            boolean matches = versioned.matches();
            String path = matches ? versioned.group(2) : entry.getName();
            int version = matches ? Integer.parseInt(versioned.group(1)) : 0;
            if (version <= java && version >= versions.getOrDefault(path, 0)) {
                chosen.put(path, entry);
                versions.put(path, version);
            }
        }
        for (Map.Entry<String, ZipEntry> each : chosen.entrySet()) {
            byte[] content = file.getInputStream(each.getValue()).readAllBytes();
            add(name, each.getKey(), each.getKey().endsWith(".class") ? lean(each.getKey(), content) : content);
        }
    }

    private static InputStream open(List<ZipFile> jars, ClassDesc type) {
        String descriptor = type.descriptorString();
        String name = descriptor.substring(1, descriptor.length() - 1) + ".class";
        try {
            for (ZipFile jar : jars) {
                ZipEntry entry = jar.getEntry(name);
                if (entry != null) {
                    return jar.getInputStream(entry);
                }
            }
            return null;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void add(String jar, String path, byte[] content) throws IOException {
        if (LICENCE.matcher(path).matches()) {
            put(jar, "META-INF/licences/" + jar + "/" + path.replace("META-INF/", ""), content);
        } else if (path.startsWith("META-INF/services/")) {
            put(jar, path, joined(entries.getOrDefault(path, new byte[0]), content));
            origins.remove(path);
        } else if (!UNUSED.matcher(path).matches() && !OF_THE_JAR.matcher(path).matches() && !NATIVE.matcher(path).matches()) {
            put(jar, path, content);
        }
    }

    /**
     * Returns a smaller class. It has no names of local variables, which are not used at run time. A class of a library has no line numbers. A class
     * of exomem has methods for its switches over types. The format is one that an AOT cache supports: it does not support the format of Java 5,
     * which picocli has.
     */
    private byte[] lean(String path, byte[] content) {
        ClassFile files = ClassFile.of(
                // Keeps only the constants that are still used: names of variables are constants.
                ClassFile.ConstantPoolSharingOption.NEW_POOL,
                ClassFile.ClassHierarchyResolverOption.of(hierarchy));
        ClassModel model = files.parse(content);
        ClassTransform less =
                path.startsWith("org/exomem/") ? new TypeSwitches(model).andThen(WITHOUT_VARIABLES) : WITHOUT_LINES;
        if (model.majorVersion() >= ClassFile.JAVA_6_VERSION) {
            return files.transformClass(model, less);
        }
        ClassTransform newer = (builder, element) -> {
            if (element instanceof ClassFileVersion) {
                builder.withVersion(ClassFile.JAVA_8_VERSION, 0);
            } else {
                builder.with(element);
            }
        };
        return files.withOptions(ClassFile.StackMapsOption.GENERATE_STACK_MAPS)
                .transformClass(model, newer.andThen(less));
    }

    /** @throws IOException if a class refers to one that was left out */
    private void expectWhole() throws IOException {
        for (Map.Entry<String, byte[]> each : entries.entrySet()) {
            if (!each.getKey().endsWith(".class")) {
                continue;
            }
            for (PoolEntry entry : ClassFile.of().parse(each.getValue()).constantPool()) {
                if (entry instanceof ClassEntry other && UNUSED.matcher(other.asInternalName()).matches()) {
                    throw new IOException(each.getKey() + " refers to " + other.asInternalName() + ", which is left out: change UNUSED");
                }
            }
        }
    }

    private void put(String jar, String path, byte[] content) throws IOException {
        byte[] before = entries.put(path, content);
        String other = origins.put(path, jar);
        if (other != null && !Arrays.equals(before, content)) {
            throw new IOException(path + " is in " + other + " and, with different content, in " + jar);
        }
    }

    private static byte[] joined(byte[] first, byte[] second) {
        Set<String> lines = new LinkedHashSet<>();
        for (byte[] part : List.of(first, second)) {
            new String(part, StandardCharsets.UTF_8)
                    .lines()
                    .map(line -> line.replaceFirst("#.*", "").strip())
                    .filter(line -> !line.isEmpty())
                    .forEach(lines::add);
        }
        return (String.join("\n", lines) + "\n").getBytes(StandardCharsets.UTF_8);
    }

    private void write(byte[] manifest, LocalDateTime time, Path to) throws IOException {
        List<Map.Entry<String, byte[]>> all = new ArrayList<>();
        all.add(Map.entry("META-INF/MANIFEST.MF", manifest));
        all.addAll(entries.entrySet());
        ByteArrayOutputStream jar = new ByteArrayOutputStream(16 << 20);
        try (ZipOutputStream zip = new ZipOutputStream(jar)) {
            zip.setLevel(Deflater.BEST_COMPRESSION);
            for (Map.Entry<String, byte[]> each : all) {
                ZipEntry entry = new ZipEntry(each.getKey());
                entry.setTimeLocal(time);
                zip.putNextEntry(entry);
                zip.write(each.getValue());
                zip.closeEntry();
            }
        }
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(to))) {
            jar.writeTo(out);
        }
    }
}
