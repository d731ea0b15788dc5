import java.net.URI;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;

/** What a server of the zoo is told to do: see ../README.md. */
final class Plan {
    record Step(int chance, String when, List<List<String>> branches) {}

    static final Map<String, List<Step>> ROUTES = new LinkedHashMap<>();
    static final Map<String, String> BACKENDS = pairs("BACKENDS");
    static final List<Step> TIMER = parse(System.getenv().getOrDefault("TIMER", ""));

    private static final List<String> KINDS = List.of("now", "job", "after", "timer");
    private static final int PROCESS = (int) (ProcessHandle.current().pid() % 4096) << 20;
    private static final AtomicInteger COUNTER = new AtomicInteger();

    static {
        pairs("ROUTES").forEach((name, plan) -> ROUTES.put(name, parse(plan)));
    }

    static List<Step> parse(String plan) {
        var form = Pattern.compile("(?:(\\d+)\\?)?(?:(\\w+):)?(.+)");
        var steps = new ArrayList<Step>();
        for (var text : plan.split(",")) {
            var match = form.matcher(text);
            if (!match.matches()) {
                continue;
            }
            var chance = match.group(1) == null ? 100 : Integer.parseInt(match.group(1));
            var when = match.group(2) == null ? "now" : match.group(2);
            var branches = new ArrayList<List<String>>();
            for (var branch : match.group(3).split("\\|")) {
                branches.add(List.of(branch.split("\\+")));
            }
            steps.add(new Step(chance, when, branches));
        }
        return steps;
    }

    private static Map<String, String> pairs(String variable) {
        var pairs = new LinkedHashMap<String, String>();
        for (var pair : System.getenv().getOrDefault(variable, "").split(";")) {
            if (pair.contains("=")) {
                pairs.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
            }
        }
        return pairs;
    }

    /** An incoming request, or with id 0 a tick of the timer. */
    record Request(int id, String order, List<Step> steps) {
        static Request of(URI uri) {
            var query = uri.getQuery() == null ? "" : uri.getQuery();
            var id = "0";
            var order = "";
            for (var pair : query.split("&")) {
                if (pair.startsWith("id=")) {
                    id = pair.substring(3);
                } else if (pair.startsWith("order=")) {
                    order = "&" + pair;
                }
            }
            var all = List.copyOf(ROUTES.values());
            var any = all.get(ThreadLocalRandom.current().nextInt(all.size()));
            var plan = ROUTES.getOrDefault(uri.getPath().substring(1), any);
            return new Request(Integer.parseUnsignedInt(id), order, chosen(plan));
        }

        static Request tick() {
            return new Request(0, "", chosen(TIMER));
        }

        /** The URI of one call that this request causes. */
        URI uri(String backend, String when) {
            var number = PROCESS | COUNTER.incrementAndGet() << 2 | KINDS.indexOf(when);
            var query = "id=" + Integer.toUnsignedString(number)
                + "&parent=" + Integer.toUnsignedString(id * (int) 2654435761L) + order;
            return URI.create("http://" + BACKENDS.get(backend) + "?" + query);
        }

        private static List<Step> chosen(List<Step> plan) {
            var random = ThreadLocalRandom.current();
            return plan.stream().filter(step -> random.nextInt(100) < step.chance()).toList();
        }
    }
}
