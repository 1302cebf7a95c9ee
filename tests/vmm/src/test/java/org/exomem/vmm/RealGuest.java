package org.exomem.vmm;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.util.Optional;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Tests that need QEMU and a Linux guest. Without them they are skipped, with a line that says what to do. On a build
 * server, which sets {@code CI=true}, they run and fail instead.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(RealGuest.Condition.class)
@interface RealGuest {

    /** Decides whether the tests can run. */
    final class Condition implements ExecutionCondition {

        @Override
        public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
            Optional<String> absence = GuestImage.whyAbsent();
            if (absence.isEmpty()) {
                return ConditionEvaluationResult.enabled("QEMU and the guest are there");
            }
            if ("true".equals(System.getenv("CI"))) {
                throw new IllegalStateException(absence.get());
            }
            return ConditionEvaluationResult.disabled(absence.get());
        }
    }
}
