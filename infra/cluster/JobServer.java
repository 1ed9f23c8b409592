import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.security.SecureClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Enumeration;
import java.util.List;

/**
 * Starts Beam's job server without its jars being on the class path that it can see.
 *
 * <p>The job server uploads its whole class path to Flink with every job: 320 MB, 14 seconds, kept for each job in Flink's blob
 * store. Here the jars are in Flink's own lib folder already, so there is nothing to upload.
 *
 * <p>Arguments: folders or jars separated by the path separator, the main class, and its arguments.
 */
public class JobServer {
  /** Loads from jars that it does not list. */
  static final class Quiet extends SecureClassLoader {
    private final URLClassLoader inner;

    Quiet(List<URL> jars, ClassLoader parent) {
      super(parent);
      inner = new URLClassLoader(jars.toArray(new URL[0]), null);
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
      try (InputStream bytes = inner.getResourceAsStream(name.replace('.', '/') + ".class")) {
        if (bytes == null) {
          throw new ClassNotFoundException(name);
        }
        byte[] code = bytes.readAllBytes();
        return defineClass(name, code, 0, code.length);
      } catch (IOException error) {
        throw new ClassNotFoundException(name, error);
      }
    }

    @Override
    protected URL findResource(String name) {
      return inner.findResource(name);
    }

    @Override
    protected Enumeration<URL> findResources(String name) throws IOException {
      return inner.findResources(name);
    }
  }

  public static void main(String[] arguments) throws Exception {
    List<URL> jars = new ArrayList<>();
    for (String path : arguments[0].split(File.pathSeparator)) {
      File place = new File(path);
      File[] files = place.isDirectory() ? place.listFiles((folder, name) -> name.endsWith(".jar")) : new File[] {place};
      Arrays.sort(files);
      for (File file : files) {
        jars.add(file.toURI().toURL());
      }
    }
    ClassLoader loader = new Quiet(jars, ClassLoader.getPlatformClassLoader());
    Thread.currentThread().setContextClassLoader(loader);
    String[] rest = Arrays.copyOfRange(arguments, 2, arguments.length);
    loader.loadClass(arguments[1]).getMethod("main", String[].class).invoke(null, (Object) rest);
  }
}
