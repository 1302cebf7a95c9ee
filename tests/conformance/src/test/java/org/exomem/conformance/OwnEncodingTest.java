package org.exomem.conformance;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The front-end uses no code of the back-end except its system calls, so that one mistake can't hide in both. */
@AnalyzeClasses(packages = "org.exomem.conformance", importOptions = ImportOption.DoNotIncludeTests.class)
class OwnEncodingTest {
    @ArchTest
    static final ArchRule usesOnlyTheSystemCallsOfTheBackEnd = noClasses()
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "org.exomem.vhostuser.memory..",
                    "org.exomem.vhostuser.virtqueue..",
                    "org.exomem.vhostuser.protocol..",
                    "org.exomem.vhostuser.backend..",
                    "org.exomem.balloon..");
}
