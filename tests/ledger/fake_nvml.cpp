// A library with NVML's names and one GPU, to read through the real loader.

extern "C" {

int nvmlInit_v2() {
  return 0;
}
int nvmlShutdown() {
  return 0;
}
int nvmlDeviceGetHandleByUUID(const char* /*uuid*/, void** device) {
  *device = nullptr;
  return 0;
}
int nvmlDeviceGetPowerUsage(void* /*device*/, unsigned int* milliwatts) {
  *milliwatts = 123456;
  return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void* /*device*/, unsigned long long* millijoules) {
  *millijoules = 7890123;
  return 0;
}
int nvmlDeviceGetTemperature(void* /*device*/, unsigned int /*sensor*/, unsigned int* celsius) {
  *celsius = 45;
  return 0;
}
int nvmlDeviceGetClockInfo(void* /*device*/, unsigned int clock, unsigned int* megahertz) {
  *megahertz = clock == 1 ? 1980 : 2619;
  return 0;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* /*device*/, unsigned long long* reasons) {
  *reasons = 4;
  return 0;
}
int nvmlDeviceGetBAR1MemoryInfo(void* /*device*/, unsigned long long* total_free_used) {
  total_free_used[0] = 33;
  total_free_used[1] = 22;
  total_free_used[2] = 11;
  return 0;
}
}
