package org.exomem.conform.strict.serve;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.exomem.conform.strict.ring.Chain;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.scene.BalloonState;
import org.exomem.conform.strict.scene.PageNumbers;
import org.exomem.conform.strict.scene.Role;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conformance.guest.BalloonFeatures;

/**
 * A balloon that does not change the pages that it receives. So changes by the driver can be found.
 *
 * <pre>
 * config space
 *  0 le32 num_pages
 *  4 le32 actual                  the driver writes it
 *  8 le32 free_page_hint_cmd_id
 * 12 le32 poison_val              the driver writes it
 * </pre>
 */
final class ServedBalloon implements ServedDevice {
    private static final int CONFIG_SIZE = 16;
    private static final int ACTUAL = 4;
    private static final int POISON = 12;
    private static final int MANY = 8192;
    private static final int FEWER = 2048;
    private static final int FIRST_COMMAND = 0x8000_0000;
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final Duration FOREVER = Duration.ofDays(1);
    private static final Duration SHORT = Duration.ofMillis(2);
    /** Some chains are kept that long, so that an unwanted notification can't count as late. */
    private static final Duration LONG = Duration.ofMillis(40);

    private static final int LONG_EVERY = 8;

    private final Runnable configChanged;
    private final List<Stage> stages;
    private int commands;
    private boolean statisticsWanted;
    private int statistics;
    private int reports;
    private boolean hintsEnded;
    private Runnable callForNothing = () -> {};

    /** @param configChanged runs when the driver should read the config space again */
    ServedBalloon(Runnable configChanged) {
        this.configChanged = configChanged;
        List<Stage> all = new ArrayList<>();
        all.add(resize("gives pages to the balloon, as num_pages is " + MANY, MANY));
        all.add(statistics("reports statistics"));
        all.add(new Stage("hints free pages", this::hint, this::isHinted, LIMIT));
        all.add(new Stage("learns that hinting is done", this::hintingDone, scene -> true, LIMIT));
        all.add(resize("takes pages out of the balloon, as num_pages is " + FEWER, FEWER));
        all.add(statistics("reports statistics again, after a spurious call"));
        all.add(new Stage("reports free pages", scene -> {}, this::isReported, LIMIT));
        all.add(resize("takes all pages out of the balloon, as num_pages is 0", 0));
        stages = List.copyOf(all);
    }

    /** Sets the action that calls the driver without a reason. */
    void onCallForNothing(Runnable action) {
        callForNothing = action;
    }

    private Stage resize(String name, int pages) {
        return new Stage(
                name,
                scene -> {
                    scene.balloon().setTarget(pages, System.nanoTime());
                    configChanged.run();
                },
                scene -> scene.balloon().actual() == pages,
                LIMIT);
    }

    private Stage statistics(String name) {
        int[] before = new int[1];
        Predicate<Scene> done =
                scene -> !scene.has(BalloonFeatures.STATS_VQ) || statistics > before[0] && !statisticsWanted;
        return new Stage(
                name,
                scene -> {
                    before[0] = statistics;
                    callForNothing.run();
                    statisticsWanted = scene.has(BalloonFeatures.STATS_VQ);
                },
                done,
                LIMIT);
    }

    private void hint(Scene scene) {
        if (scene.has(BalloonFeatures.FREE_PAGE_HINT)) {
            hintsEnded = false;
            scene.balloon().setCommand(FIRST_COMMAND + commands++);
            configChanged.run();
        }
    }

    private boolean isHinted(Scene scene) {
        return hintsEnded || !scene.has(BalloonFeatures.FREE_PAGE_HINT);
    }

    private void hintingDone(Scene scene) {
        if (scene.has(BalloonFeatures.FREE_PAGE_HINT)) {
            scene.balloon().setCommand(BalloonState.DONE);
            configChanged.run();
        }
    }

    private boolean isReported(Scene scene) {
        return reports > 0 || !scene.has(BalloonFeatures.PAGE_REPORTING);
    }

    @Override
    public byte[] config(Scene scene) {
        BalloonState balloon = scene.balloon();
        return ByteBuffer.allocate(CONFIG_SIZE)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(balloon.target())
                .putInt(balloon.actual())
                .putInt(balloon.command())
                .putInt(balloon.poison())
                .array();
    }

    @Override
    public void written(Scene scene, int offset, byte[] data) {
        byte[] config = config(scene);
        if (offset < 0 || offset > config.length - data.length) {
            return;
        }
        System.arraycopy(data, 0, config, offset, data.length);
        ByteBuffer fields = ByteBuffer.wrap(config).order(ByteOrder.LITTLE_ENDIAN);
        scene.balloon().setActual(fields.getInt(ACTUAL));
        scene.balloon().setPoison(fields.getInt(POISON));
    }

    @Override
    public void taken(Scene scene, Ring ring, Chain chain) {
        if (scene.role(ring) == Role.INFLATE) {
            for (int page : PageNumbers.of(chain, scene.memory())) {
                scene.balloon().inflating().set(page & Integer.MAX_VALUE);
            }
        } else if (scene.role(ring) == Role.STATISTICS) {
            statistics++;
        }
    }

    @Override
    public Duration kept(Scene scene, Ring ring, Chain chain) {
        if (scene.role(ring) == Role.STATISTICS) {
            return statisticsWanted ? SHORT : FOREVER;
        }
        return chain.number() % LONG_EVERY == LONG_EVERY - 1 ? LONG : SHORT;
    }

    @Override
    public long serve(Scene scene, Ring ring, Chain chain) {
        BalloonState balloon = scene.balloon();
        switch (scene.role(ring)) {
            case INFLATE -> {
                for (int page : PageNumbers.of(chain, scene.memory())) {
                    balloon.pages().set(page & Integer.MAX_VALUE);
                    balloon.inflating().clear(page & Integer.MAX_VALUE);
                }
            }
            case DEFLATE -> {
                for (int page : PageNumbers.of(chain, scene.memory())) {
                    balloon.pages().clear(page & Integer.MAX_VALUE);
                }
            }
            case STATISTICS -> statisticsWanted = false;
            case FREE_PAGES -> {
                byte[] id = chain.bytes(scene.memory());
                if (id.length == Integer.BYTES
                        && ByteBuffer.wrap(id).order(ByteOrder.LITTLE_ENDIAN).getInt() == BalloonState.STOP) {
                    hintsEnded = true;
                }
            }
            case REPORTING -> reports++;
            case REQUESTS, NONE -> {
                // Not a queue of the balloon.
            }
        }
        return 0;
    }

    @Override
    public void driverStarted(Scene scene) {
        scene.balloon().pages().clear();
        scene.balloon().inflating().clear();
        scene.balloon().setActual(0);
        scene.balloon().setCommand(BalloonState.STOP);
        statisticsWanted = false;
    }

    @Override
    public List<Stage> stages() {
        return stages;
    }
}
