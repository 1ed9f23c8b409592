package org.apache.beam.sdk.fn.server;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.beam.model.pipeline.v1.Endpoints;
import org.apache.beam.sdk.fn.channel.SocketAddressFactory;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.BindableService;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.Server;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.ServerInterceptors;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.netty.NettyServerBuilder;

/**
 * Replaces the class of this name in Beam's runner 2.62, on the class path before it. It opens the ports of the job server, of the
 * artifact service and of the TaskManager's Fn API.
 *
 * <p>Beam's own class takes only the port from the address that it is given, and listens on every interface. Whoever reaches one of
 * these ports runs code or reads files without credentials. This class listens on the address that was configured
 * (<code>--job-host</code>), and on loopback where none was. Containers configure 0.0.0.0 for the job server.
 *
 * <p>The factories of sockets of the file system are left out: the runner creates none.
 */
public abstract class ServerFactory {
  private static final int KEEP_ALIVE_SECONDS = 20;

  public static ServerFactory createDefault() {
    return createWithUrlFactory(UrlFactory.createDefault());
  }

  public static ServerFactory createWithUrlFactory(UrlFactory urls) {
    return createWithUrlFactoryAndPortSupplier(urls, () -> 0);
  }

  public static ServerFactory createWithPortSupplier(Supplier<Integer> ports) {
    return createWithUrlFactoryAndPortSupplier(UrlFactory.createDefault(), ports);
  }

  public static ServerFactory createWithUrlFactoryAndPortSupplier(UrlFactory urls, Supplier<Integer> ports) {
    return new InetSocketAddressServerFactory(urls, ports);
  }

  /** A started server at an address of the factory's choice, which is written into the descriptor. */
  public abstract Server allocateAddressAndCreate(
      List<BindableService> services, Endpoints.ApiServiceDescriptor.Builder descriptor) throws IOException;

  /** A started server at the descriptor's address. */
  public abstract Server create(List<BindableService> services, Endpoints.ApiServiceDescriptor descriptor)
      throws IOException;

  /** How clients name a server's address. */
  public interface UrlFactory {
    String createUrl(String host, int port);

    static UrlFactory createDefault() {
      return (host, port) -> host + ":" + port;
    }
  }

  /** Servers that listen on one address, not on every interface. */
  public static class InetSocketAddressServerFactory extends ServerFactory {
    private final UrlFactory urls;
    private final Supplier<Integer> ports;

    private InetSocketAddressServerFactory(UrlFactory urls, Supplier<Integer> ports) {
      this.urls = urls;
      this.ports = ports;
    }

    @Override
    public Server allocateAddressAndCreate(
        List<BindableService> services, Endpoints.ApiServiceDescriptor.Builder descriptor) throws IOException {
      InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), ports.get());
      Server server = started(services, address);
      descriptor.setUrl(urls.createUrl(address.getHostName(), server.getPort()));
      return server;
    }

    @Override
    public Server create(List<BindableService> services, Endpoints.ApiServiceDescriptor descriptor) throws IOException {
      SocketAddress address = SocketAddressFactory.createFrom(descriptor.getUrl());
      if (!(address instanceof InetSocketAddress)) {
        throw new IllegalArgumentException("a server needs host:port, got " + descriptor.getUrl());
      }
      return started(services, (InetSocketAddress) address);
    }

    private static Server started(List<BindableService> services, InetSocketAddress address) throws IOException {
      // Layers above limit the size of messages.
      NettyServerBuilder builder =
          NettyServerBuilder.forAddress(address)
              .maxInboundMessageSize(Integer.MAX_VALUE)
              .permitKeepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS);
      for (BindableService service : services) {
        builder.addService(ServerInterceptors.intercept(service, GrpcContextHeaderAccessorProvider.interceptor()));
      }
      return builder.build().start();
    }
  }
}
