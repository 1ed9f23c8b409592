package org.apache.beam.runners.fnexecution.control;

import java.io.IOException;
import java.util.Collections;
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
import org.apache.beam.sdk.state.ValueState;
import org.apache.beam.sdk.transforms.windowing.BoundedWindow;
import org.apache.beam.sdk.util.CoderUtils;
import org.apache.beam.sdk.util.WindowedValue;
import org.joda.time.Instant;

/**
 * Stands in for the class of this name in Beam's runner 2.62, on the class path before it. What a splittable DoFn has left to do is
 * kept in a state cell until a timer fires.
 *
 * <p>Beam gives each such cell a name that was never used before, and Flink keeps something of every name for ever: a job that reads
 * on grows without end (beam issue 27648, fixed in Beam in July 2026). Here a cell is used again when it is empty. Delays and
 * watermarks keep their milliseconds, which Beam cuts off.
 */
public class BundleCheckpointHandlers {

  /** Keeps residuals in state, under the key of their element. */
  public static class StateAndTimerBundleCheckpointHandler<T> implements BundleCheckpointHandler {
    /** What the runner knows the timers by. */
    public static final String SDF_PREFIX = "sdf_checkpoint";

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
        String name = free(state, place);
        timer.setTimer(place, name, "", due, hold, TimeDomain.PROCESSING_TIME);
        state
            .state(place, StateTags.value(name, residualCoder))
            .write(
                WindowedValue.of(
                    left.getValue(), left.getTimestamp(), Collections.singletonList(window), left.getPane()));
      }
    }

    /** The first name whose cell is empty: the runner empties a cell when its timer fires. */
    private String free(StateInternals state, StateNamespace place) {
      for (int number = 0; ; number++) {
        String name = SDF_PREFIX + ":" + number;
        ValueState<WindowedValue<T>> cell = state.state(place, StateTags.value(name, residualCoder));
        if (cell.read() == null) {
          return name;
        }
      }
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
