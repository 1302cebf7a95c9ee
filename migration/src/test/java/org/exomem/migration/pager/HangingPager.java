package org.exomem.migration.pager;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.exomem.migration.image.MemoryImage;

/** A pager in a separate process, which places some pages and then hangs with a touch that it has taken. */
final class HangingPager {
    private HangingPager() {}

    /**
     * @param arguments the VMM's process and userfaultfd, the saved file, the VMM's file, and the number of pages to
     * place
     */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        int left = Integer.parseInt(arguments[4]);
        try (MemoryImage memory = SavedGuest.memory(Path.of(arguments[3]));
                ImagePages image = new ImagePages(List.of(Path.of(arguments[2])));
                VmmMemory vmm = SavedGuest.watch(
                        Integer.parseInt(arguments[0]), Integer.parseInt(arguments[1]), false, memory, () -> {})) {
            Pager pager = Pager.start(
                    "hanging",
                    vmm,
                    new OwedPages(image.owedTo(memory)),
                    new Hanging(image, left),
                    Optional.empty(),
                    new Pager.Watcher() {});
            System.out.println("serving");
            pager.end().join();
        }
    }

    private static final class Hanging implements PageSource {
        private final PageSource source;
        private int left;

        Hanging(PageSource source, int left) {
            this.source = source;
            this.left = left;
        }

        @Override
        public void demand(long page, PagePlacer into) throws IOException {
            if (left-- == 0) {
                System.out.println("hanging");
                try {
                    new CountDownLatch(1).await();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
            }
            source.demand(page, into);
        }

        @Override
        public void prefetch(long first, long count, PagePlacer into) throws IOException {
            source.prefetch(first, count, into);
        }
    }
}
