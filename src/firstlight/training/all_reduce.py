"""A worker of `doctor`: it exchanges a number with the other workers that TF_CONFIG names.

It prints lines of JSON: the GPUs that TensorFlow sees; without a GPU, how many times as fast as
float32 the processor is in bfloat16; and the sum of all workers' numbers.
"""

import json

from firstlight.quiet import without_stderr


def main() -> None:
    with without_stderr(verbose=False):
        import tensorflow as tf

        from firstlight.training.precision import bfloat16_speedup

        gpus = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        names = [detail.get("device_name", "GPU") for detail in details]
        print(json.dumps({"gpus": names}), flush=True)
        tf.config.set_visible_devices([], "GPU")  # two workers cannot share one
        strategy = tf.distribute.MultiWorkerMirroredStrategy()  # before anything is computed
        if not gpus:
            print(json.dumps({"bfloat16_speedup": bfloat16_speedup()}), flush=True)
        number = strategy.cluster_resolver.task_id + 1.0

        @tf.function
        def exchange() -> tf.Tensor:
            return strategy.run(all_reduced)

        def all_reduced() -> tf.Tensor:
            return tf.distribute.get_replica_context().all_reduce("sum", tf.constant(number))

        print(json.dumps({"sum": float(exchange())}), flush=True)


if __name__ == "__main__":
    main()
