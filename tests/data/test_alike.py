from segnext.data.alike import alike


def test_names_that_differ_in_case_and_joints_alone() -> None:
    assert alike(["road", "Pothole", "pothole", "pot hole", "pot-hole", "Road marking", "road_marking"]) == [
        ["pot hole", "pot-hole", "pothole", "Pothole"],
        ["road_marking", "Road marking"],
    ]
    assert alike(["car", "Car", "CAR"], {"CAR": 2, "Car": 3, "car": 2}) == [["Car", "car", "CAR"]]
    assert alike(["car ", "car"]) == [["car", "car "]]
    assert alike(["1-10", "110", "class 1", "class 11", "#aabbcc"]) == []
    assert alike(["Car", "CAR"]) == [["CAR", "Car"]]
