package org.apache.beam.runners.fnexecution.control;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.BundleApplication;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.DelayedBundleApplication;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.ProcessBundleResponse;
import org.apache.beam.runners.core.StateInternals;
import org.apache.beam.runners.core.StateInternalsFactory;
import org.apache.beam.runners.core.StateNamespace;
import org.apache.beam.runners.core.StateNamespaces;
import org.apache.beam.runners.core.StateTags;
import org.apache.beam.runners.core.TimerInternals;
import org.apache.beam.runners.core.TimerInternalsFactory;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.state.TimeDomain;
import org.apache.beam.sdk.transforms.windowing.BoundedWindow;
import org.apache.beam.sdk.util.CoderUtils;
import org.apache.beam.sdk.util.WindowedValue;
import org.joda.time.Instant;

/**
 * Stands in for the class of this name in Beam's runner 2.62, on the class path before it. What a splittable DoFn has left to do is
 * kept in a state cell until a timer fires.
 *
 * <p>Beam gives each such cell a name that was never used before, and neither empties it nor forgets its name: a job that reads on
 * grows without end (beam issue 27648, fixed in Beam in July 2026). Here a cell is used again half a minute after its timer was due.
 * An element that is not equal to another has one rest at a time, so that what is written over has long been read; the time is for
 * equal elements. Delays and watermarks keep their milliseconds, which Beam cuts off.
 */
public class BundleCheckpointHandlers {

  /** Keeps residuals in state, under the key of their element. */
  public static class StateAndTimerBundleCheckpointHandler<T> implements BundleCheckpointHandler {
    /** What the runner knows the timers by. */
    public static final String SDF_PREFIX = "sdf_checkpoint";

    /** Milliseconds after which a timer that was due has fired. */
    private static final long REST = 30_000;

    /** Names of one start of the job are not those of the start before, whose timers may still be due. */
    private static final int LIVES = 8;

    private final int life = ThreadLocalRandom.current().nextInt(LIVES);

    /** When the cells of each key were last due, by number. */
    private final Map<Object, List<Long>> used = new HashMap<>();

    private final TimerInternalsFactory<T> timers;
    private final StateInternalsFactory<T> states;
    private final Coder<WindowedValue<T>> residualCoder;

    @SuppressWarnings("rawtypes")
    private final Coder windowCoder;

    @SuppressWarnings("rawtypes")
    public StateAndTimerBundleCheckpointHandler(
        TimerInternalsFactory<T> timers,
        StateInternalsFactory<T> states,
        Coder<WindowedValue<T>> residualCoder,
        Coder windowCoder) {
      this.timers = timers;
      this.states = states;
      this.residualCoder = residualCoder;
      this.windowCoder = windowCoder;
    }

    public static boolean isSdfTimer(String name) {
      return name.startsWith(SDF_PREFIX);
    }

    @Override
    public void onCheckpoint(ProcessBundleResponse response) {
      forget();
      for (DelayedBundleApplication residual : response.getResidualRootsList()) {
        if (residual.hasApplication()) {
          try {
            keep(residual);
          } catch (IOException error) {
            throw new RuntimeException("what is left of a split cannot be kept", error);
          }
        }
      }
    }

    private void keep(DelayedBundleApplication residual) throws IOException {
      BundleApplication application = residual.getApplication();
      WindowedValue<T> left =
          CoderUtils.decodeFromByteArray(residualCoder, application.getElement().toByteArray());
      TimerInternals timer = timers.timerInternalsForKey(left.getValue());
      StateInternals state = states.stateInternalsForKey(left.getValue());
      Instant due = Instant.now().plus(delay(residual));
      Instant hold = Instant.ofEpochMilli(watermark(application));
      for (BoundedWindow window : left.getWindows()) {
        @SuppressWarnings("unchecked")
        StateNamespace place = StateNamespaces.window(windowCoder, window);
        String name = free(state.getKey(), place, due);
        timer.setTimer(place, name, "", due, hold, TimeDomain.PROCESSING_TIME);
        state
            .state(place, StateTags.value(name, residualCoder))
            .write(
                WindowedValue.of(
                    left.getValue(), left.getTimestamp(), Collections.singletonList(window), left.getPane()));
      }
    }

    /** The first name of this key that is long past its use, until it is due again. */
    private String free(Object key, StateNamespace place, Instant due) {
      long now = System.currentTimeMillis();
      List<Long> times =
          used.computeIfAbsent(Arrays.asList(key, place.stringKey()), any -> new ArrayList<>());
      int number = 0;
      while (number < times.size() && times.get(number) + REST > now) {
        number++;
      }
      if (number == times.size()) {
        times.add(due.getMillis());
      } else {
        times.set(number, due.getMillis());
      }
      return SDF_PREFIX + ":" + life + ":" + number;
    }

    /** Keys that are not read any more need no memory. */
    private void forget() {
      long now = System.currentTimeMillis();
      used.values().removeIf(times -> times.stream().allMatch(time -> time + REST < now));
    }

    private static long delay(DelayedBundleApplication residual) {
      if (!residual.hasRequestedTimeDelay()) {
        return 0;
      }
      return residual.getRequestedTimeDelay().getSeconds() * 1000
          + residual.getRequestedTimeDelay().getNanos() / 1_000_000;
    }

    private static long watermark(BundleApplication application) {
      return application.getOutputWatermarksMap().values().stream()
          .mapToLong(at -> at.getSeconds() * 1000 + at.getNanos() / 1_000_000)
          .map(at -> Math.min(at, BoundedWindow.TIMESTAMP_MAX_VALUE.getMillis()))
          .min()
          .orElse(BoundedWindow.TIMESTAMP_MIN_VALUE.getMillis());
    }
  }
}
