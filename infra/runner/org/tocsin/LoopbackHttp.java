package org.tocsin;

import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsServer;
import com.sun.net.httpserver.spi.HttpServerProvider;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import sun.net.httpserver.DefaultHttpServerProvider;

/**
 * The JDK's HTTP server, on loopback where a library asks for every interface.
 *
 * <p>Flink's Prometheus reporter has an option for its port and none for its host. The option
 * <code>-Dcom.sun.net.httpserver.HttpServerProvider=org.tocsin.LoopbackHttp</code> puts this class in place. Containers do without
 * it, because Prometheus reads their metrics from another container.
 */
public class LoopbackHttp extends HttpServerProvider {
  private final HttpServerProvider servers = new DefaultHttpServerProvider();

  @Override
  public HttpServer createHttpServer(InetSocketAddress address, int backlog) throws IOException {
    return servers.createHttpServer(narrowed(address), backlog);
  }

  @Override
  public HttpsServer createHttpsServer(InetSocketAddress address, int backlog) throws IOException {
    return servers.createHttpsServer(narrowed(address), backlog);
  }

  private static InetSocketAddress narrowed(InetSocketAddress address) {
    if (address == null || !address.getAddress().isAnyLocalAddress()) {
      return address;
    }
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), address.getPort());
  }
}
