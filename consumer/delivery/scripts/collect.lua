-- Removes consumers that hold nothing and have been silent for long. ARGV: group, idle ms -> how many
local removed = 0
local rows = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], GROUP)
if rows.err then return 0 end  -- no such stream or group yet
for _, row in ipairs(rows) do
  local info = {}
  for i = 1, #row, 2 do info[row[i]] = row[i + 1] end
  if info.pending == 0 and info.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], GROUP, info.name)
    removed = removed + 1
  end
end
return removed
