-- Drops identities whose entry was deleted, and parked messages that have no time. ARGV: group, field, cursor
-- -> next cursor. Redis has no other moment to notice: XDEL and XTRIM by hand run no script of ours.
local hash = ARGV[2] == 'queued' and KEYS[4] or KEYS[3]
local answer = redis.call('HSCAN', hash, ARGV[3], 'COUNT', 200)
for i = 1, #answer[2], 2 do
  local key, id = answer[2][i], answer[2][i + 1]
  local gone
  if hash == KEYS[4] then
    gone = not stands(id)
  else
    gone = not redis.call('ZSCORE', KEYS[2], key)
  end
  if gone then redis.call('HDEL', hash, key) end
end
return answer[1]
