package org.exomem.conform.junit;

import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.exomem.conform.check.Check;
import org.exomem.conform.report.TerminalReport;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.Expectations;
import org.exomem.conform.run.Runner;
import org.exomem.conform.suite.Selection;
import org.exomem.conform.trial.BackEnd;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.exomem.reference.Catalogue;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;

/**
 * Each check as a test, for a test factory:
 *
 * <pre>{@code
 * @TestFactory
 * Stream<DynamicTest> keepsToVhostUser() throws IOException {
 *     return ConformTests.of(new ListeningBackEnd(socket), DeviceType.ANY, Expectations.NONE);
 * }
 * }</pre>
 *
 * A skipped check or a known failure is an aborted test. The tests of one back-end run one after the other.
 */
public final class ConformTests {
    private ConformTests() {}

    /**
     * @param backEnd closed with the stream
     * @throws IOException if the back-end serves no session
     */
    public static Stream<DynamicTest> of(BackEnd backEnd, DeviceType type, Expectations expected) throws IOException {
        Runner runner = new Runner(backEnd, type, Limits.USUAL, Runner.Progress.UNWATCHED);
        Runner.Found found = runner.look();
        Catalogue catalogue = Catalogue.load();
        return runner.fitting(Selection.of(List.of())).stream()
                .map(check -> DynamicTest.dynamicTest(
                        check.toString(), () -> judge(check, runner.run(check, found), expected, catalogue)))
                .onClose(backEnd::close);
    }

    private static void judge(Check check, CheckResult result, Expectations expected, Catalogue catalogue) {
        switch (result.verdict()) {
            case PASS, REFUSED -> {}
            case SKIP -> Assumptions.abort(result.message());
            case FAIL, HANG, ERROR -> {
                if (expected.cover(result)) {
                    Assumptions.abort("known failure of " + check.requirement() + ": " + result.message());
                }
                Assertions.fail(TerminalReport.failure(result, catalogue));
            }
        }
    }
}
