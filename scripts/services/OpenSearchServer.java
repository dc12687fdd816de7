// A node of OpenSearch in this process: what scripts/services/opensearch.sh runs.
//   OpenSearchServer DIR HTTP_PORT TRANSPORT_PORT
// What indexing may hold at once is small, so that the server itself answers 429 to what a test sends at once.
import org.codelibs.opensearch.runner.OpenSearchRunner;

public class OpenSearchServer {
  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[1]);
    OpenSearchRunner runner = new OpenSearchRunner();
    runner.setMaxHttpPort(-1);  // the port as it is: the runner would look for one between 9201 and 9299
    try {
      runner
          .onBuild((number, settings) -> {
            settings.put("http.host", "127.0.0.1");
            settings.put("http.port", port);
            settings.put("transport.host", "127.0.0.1");
            settings.put("transport.port", arguments[2]);
            settings.put("discovery.type", "single-node");
            settings.put("indexing_pressure.memory.limit", "4mb");
          })
          .build(OpenSearchRunner.newConfigs().basePath(arguments[0]).numOfNode(1).baseHttpPort(port - 1).clusterName("logmill-test"));
    } catch (Throwable failed) {
      failed.printStackTrace();
      System.exit(1);
    }
    Thread.currentThread().join();
  }
}
