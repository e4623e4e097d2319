"""A core may deliver a question of a start of the splitter that is over, after a later start's."""

import json

from sim import Sim
from sim_oracle import CLEAN


def test_a_late_question_of_an_earlier_start_does_not_silence_the_present_one(tmp_path):
    sim = Sim(tmp_path)
    questions = []
    send = sim.send

    def seen(topic, payload):
        if topic == "demo/done" and json.loads(payload).get("sync"):
            questions.append(payload)
        send(topic, payload)

    sim.send = seen
    sim.manifest("cam1", "a", 4)
    sim.settle()
    sim.kill("splitter")
    sim.manifest("cam1", "b", 4)
    sim.settle()
    assert len({json.loads(each)["run"] for each in questions}) == 2

    send("demo/done", questions[0])
    sim.run(1.0)
    sim.manifest("cam1", "c", 4)
    sim.settle()

    assert sim.verdict() == CLEAN
    assert sim.aggregator.stale_epoch > 0
    sim.close()
