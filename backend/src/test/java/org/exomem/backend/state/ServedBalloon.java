package org.exomem.backend.state;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.backend.Deaf;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EventLoop;

/** A balloon in this process with a state file, and a guest's driver that has started on it. */
final class ServedBalloon implements AutoCloseable {
    private final EventLoop loop = new EventLoop("balloon");
    private final VirtioBalloon balloon;
    private final Endpoint endpoint;
    final BalloonDriver driver;

    ServedBalloon(BalloonStateFile file, Path socket, GuestRam ram) throws IOException {
        balloon = new VirtioBalloon(BalloonOptions.defaults(), file.kept(), new Deaf(), new PageFeed(), loop);
        endpoint = loop.submit(() -> Endpoint.listen(socket, balloon, loop, new Deaf()))
                .join();
        driver = BalloonDriver.start(AttachedDevice.attach(
                FrontEnd.connect(socket),
                ram,
                BalloonFeatures.LINUX | Features.PROTOCOL_FEATURES | Features.VERSION_1,
                Features.Protocol.REPLY_ACK | Features.Protocol.CONFIG));
    }

    long pagesInBalloon() {
        return loop.submit(balloon::pagesInBalloon).join();
    }

    @Override
    public void close() {
        driver.close();
        endpoint.close();
        loop.close();
    }
}
