package org.exomem.app;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.Architectures;

/** The architecture rules: which packages may depend on which. */
@AnalyzeClasses(packages = "org.exomem", importOptions = ImportOption.DoNotIncludeTests.class)
class ArrowsTest {
    private static final String LINUX = "org.exomem.linux..";
    private static final String PAGES = "org.exomem.pages..";
    private static final String IMAGES = "org.exomem.images..";
    private static final String REFERENCE = "org.exomem.reference..";
    private static final String VHOST_USER = "org.exomem.vhostuser..";
    private static final String BALLOON = "org.exomem.balloon..";
    private static final String MEM = "org.exomem.mem..";
    private static final String MIGRATION = "org.exomem.migration..";
    private static final String CONFORMANCE = "org.exomem.conformance..";
    private static final String EMBEDDED = "org.exomem.embedded..";
    private static final String BACKEND = "org.exomem.backend..";
    private static final String CLI = "org.exomem.cli..";
    private static final String CONFORM = "org.exomem.conform..";
    private static final String DEMO = "org.exomem.demo..";
    private static final String APP = "org.exomem.app..";

    @ArchTest
    static final ArchRule ARROWS_POINT_ONE_WAY = Architectures.layeredArchitecture()
            .consideringOnlyDependenciesInAnyPackage("org.exomem..")
            .layer("linux")
            .definedBy(LINUX)
            .layer("pages")
            .definedBy(PAGES)
            .layer("images")
            .definedBy(IMAGES)
            .layer("reference")
            .definedBy(REFERENCE)
            .layer("cli")
            .definedBy(CLI)
            .layer("vhost-user")
            .definedBy(VHOST_USER)
            .layer("balloon")
            .definedBy(BALLOON)
            .layer("mem")
            .definedBy(MEM)
            .layer("migration")
            .definedBy(MIGRATION)
            .layer("conformance")
            .definedBy(CONFORMANCE)
            .layer("conform")
            .definedBy(CONFORM)
            .layer("embedded")
            .definedBy(EMBEDDED)
            .layer("backend")
            .definedBy(BACKEND)
            .layer("demo")
            .definedBy(DEMO)
            .layer("app")
            .definedBy(APP)
            .whereLayer("linux")
            .mayOnlyBeAccessedByLayers(
                    "pages",
                    "images",
                    "vhost-user",
                    "balloon",
                    "mem",
                    "migration",
                    "conformance",
                    "conform",
                    "embedded",
                    "backend",
                    "demo")
            .whereLayer("pages")
            .mayOnlyBeAccessedByLayers("images", "vhost-user", "balloon", "mem", "migration", "backend")
            .whereLayer("images")
            .mayOnlyBeAccessedByLayers("backend", "demo")
            .whereLayer("reference")
            .mayOnlyBeAccessedByLayers("conform", "backend")
            .whereLayer("cli")
            .mayOnlyBeAccessedByLayers("conform", "backend", "demo", "app")
            .whereLayer("vhost-user")
            .mayOnlyBeAccessedByLayers("balloon", "mem", "migration", "backend")
            .whereLayer("balloon")
            .mayOnlyBeAccessedByLayers("backend")
            .whereLayer("mem")
            .mayOnlyBeAccessedByLayers("backend")
            .whereLayer("migration")
            .mayOnlyBeAccessedByLayers("backend")
            .whereLayer("conformance")
            .mayOnlyBeAccessedByLayers("conform", "embedded", "demo")
            .whereLayer("conform")
            .mayOnlyBeAccessedByLayers("app")
            .whereLayer("embedded")
            .mayOnlyBeAccessedByLayers("demo")
            .whereLayer("backend")
            .mayOnlyBeAccessedByLayers("demo", "app")
            .whereLayer("demo")
            .mayOnlyBeAccessedByLayers("app")
            .whereLayer("app")
            .mayNotBeAccessedByAnyLayer();

    @ArchTest
    static final ArchRule PACKAGES_FORM_NO_CIRCLE =
            slices().matching("org.exomem.(**)").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule CONFORMANCE_ENCODES_FOR_ITSELF = noClasses()
            .that()
            .resideInAnyPackage(CONFORMANCE, EMBEDDED)
            .should()
            .dependOnClassesThat(exomemOutside(LINUX, CONFORMANCE, EMBEDDED))
            .because("one mistake must not hide in the back-end and in what tests it");

    @ArchTest
    static final ArchRule SYSTEM_CALLS_ARE_IN_ONE_PLACE = noClasses()
            .that()
            .resideOutsideOfPackage(LINUX)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("com.sun.jna..");

    @ArchTest
    static final ArchRule WIRE_AND_RINGS_KNOW_NO_SESSION = noClasses()
            .that()
            .resideInAnyPackage(
                    "org.exomem.vhostuser.memory..",
                    "org.exomem.vhostuser.virtqueue..",
                    "org.exomem.vhostuser.protocol..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.exomem.vhostuser.backend..");

    @ArchTest
    static final ArchRule THE_ENGINE_KNOWS_GUEST_MEMORY_ALONE_OF_VHOST_USER = noClasses()
            .that()
            .resideInAPackage(MIGRATION)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "org.exomem.vhostuser.protocol..",
                    "org.exomem.vhostuser.virtqueue..",
                    "org.exomem.vhostuser.backend..");

    @ArchTest
    static final ArchRule DEVICES_KNOW_NO_WIRE = noClasses()
            .that()
            .resideInAnyPackage(BALLOON, MEM, MIGRATION)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.exomem.vhostuser.protocol..", "io.netty..");

    @ArchTest
    static final ArchRule COMMANDS_ARE_ON_TOP_OF_THE_PROCESS = noClasses()
            .that()
            .resideInAnyPackage("..backend.control..", "..backend.vm..", "..backend.config..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("..backend.command..", "..backend.options..");

    @ArchTest
    static final ArchRule PACKAGES_ARE_NULL_MARKED = classes()
            .that()
            .haveSimpleName("package-info")
            .should()
            .beAnnotatedWith("org.jspecify.annotations.NullMarked");

    private static DescribedPredicate<JavaClass> exomemOutside(String... packages) {
        return resideInAPackage("org.exomem..")
                .and(DescribedPredicate.not(resideInAnyPackage(packages)))
                .as("of exomem outside of %s", String.join(", ", packages));
    }
}
